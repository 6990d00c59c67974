//! Cases with something left out, to find the smallest that still differs.

use crate::case::Case;

/// Cases with something left out: folders first, then files, then lines.
pub fn smaller(case: &Case) -> Vec<Case> {
    let mut found = Vec::new();
    let mut without = |change: &dyn Fn(&mut Case)| {
        let mut less = case.clone();
        change(&mut less);
        found.push(less);
    };
    let mut tops: Vec<&str> =
        case.files.keys().filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
    tops.dedup();
    for top in tops {
        without(&|less| less.files.retain(|path, _| !path.starts_with(top)));
    }
    for path in case.files.keys() {
        without(&|less| _ = less.files.remove(path));
    }
    for i in 0..case.values.len() {
        without(&|less| _ = less.values.remove(i));
    }
    for i in 0..case.sets.len() {
        without(&|less| _ = less.sets.remove(i));
    }
    for (path, content) in &case.files {
        for text in fewer_lines(content) {
            without(&|less| _ = less.files.insert(path.clone(), text.clone()));
        }
    }
    for (i, content) in case.values.iter().enumerate() {
        for text in fewer_lines(content) {
            without(&|less| less.values[i].clone_from(&text));
        }
    }
    found
}

fn fewer_lines(content: &str) -> Vec<String> {
    let lines: Vec<&str> = content.split_inclusive('\n').collect();
    (0..lines.len())
        .map(|left_out| {
            let kept = lines.iter().enumerate().filter(|(i, _)| *i != left_out);
            kept.map(|(_, line)| *line).collect()
        })
        .collect()
}
