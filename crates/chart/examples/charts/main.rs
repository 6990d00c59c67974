//! Runs the cases of whole charts in a folder: `charts DIR`.

mod cases;

use std::path::Path;
use std::process::ExitCode;

use cases::Verdict;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: charts DIR");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Prints a line for each chart, and says how many cases differ.
fn run(folder: &Path) -> Result<usize, String> {
    let cases = cases::read(folder)?;
    let (mut equal, mut different) = (0, 0);
    for of_chart in cases.chunk_by(|a, b| chart_of(&a.name) == chart_of(&b.name)) {
        let (mut chart_equal, mut chart_different) = (0, 0);
        for case in of_chart {
            match case.run().map_err(|problem| format!("{}: {problem}", case.name))? {
                Verdict::Equal => chart_equal += 1,
                Verdict::Different(what) => {
                    println!("--- {}\n  {what}", case.name);
                    chart_different += 1;
                }
            }
        }
        let name = of_chart.first().map(|case| chart_of(&case.name)).unwrap_or_default();
        println!("{name}: {chart_equal} equal, {chart_different} different, 0 skipped");
        equal += chart_equal;
        different += chart_different;
    }
    println!("total: {equal} equal, {different} different, 0 skipped");
    Ok(different)
}

fn chart_of(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}
