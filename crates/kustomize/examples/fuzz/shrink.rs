//! Makes a case that differs smaller, as long as it still differs.

use crate::case::Case;

/// Removes files and runs of lines while `differs` holds.
pub fn shrink(mut case: Case, mut differs: impl FnMut(&Case) -> bool) -> Case {
    for _ in 0..4 {
        let before: usize = case.files.iter().map(|(_, content)| content.len()).sum();
        let mut file = 0;
        while file < case.files.len() {
            let mut candidate = case.clone();
            candidate.files.remove(file);
            if differs(&candidate) {
                case = candidate;
                continue;
            }
            for run in [16, 8, 4, 2, 1] {
                let mut line = 0;
                while let Some(candidate) = without_lines(&case, file, line, run) {
                    if candidate.files != case.files && differs(&candidate) {
                        case = candidate
                    } else {
                        line += run
                    }
                }
            }
            file += 1;
        }
        if before == case.files.iter().map(|(_, content)| content.len()).sum::<usize>() {
            break;
        }
    }
    case
}

fn without_lines(case: &Case, file: usize, from: usize, count: usize) -> Option<Case> {
    let mut candidate = case.clone();
    let (_, content) = candidate.files.get_mut(file)?;
    let lines: Vec<&str> = content.split_inclusive('\n').collect();
    if from >= lines.len() {
        return None;
    }
    // Objects without these differ in ways of no interest.
    let named = |line: &str| line.starts_with("apiVersion:") || line.starts_with("kind:");
    let kept =
        lines.iter().enumerate().filter(|(at, line)| !(from..from + count).contains(at) || named(line));
    let shorter = kept.map(|(_, line)| *line).collect();
    *content = shorter;
    Some(candidate)
}
