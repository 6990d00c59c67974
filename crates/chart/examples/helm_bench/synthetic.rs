//! Charts that grow: in templates, in the length of a template, and in values.
#![allow(clippy::indexing_slicing, reason = "serde_json indexes absent keys as null; sizes are fixed")]

use std::time::Duration;

use chart::{ArchiveLimits, Chart, File, Notes, Separators, Table, assemble};

use super::cases;
use super::milliseconds;

const TEMPLATE: &str =
    "{{- define \"labels\" }}\napp: {{ .Chart.Name }}\nrelease: {{ .Release.Name | quote }}\n{{- end }}\n";

const OBJECT: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-NUMBER\n  labels:\n    {{- include \"labels\" . | nindent 4 }}\n{{- if .Values.enabled }}\ndata:\n  {{- range $k, $v := .Values.data }}\n  {{ $k }}: {{ $v | quote }}\n  {{- end }}\n{{- end }}\n";

const REPEATS: u32 = 20;

const SIZES: [usize; 4] = [250, 500, 1000, 2000];

pub fn run() -> Result<(), String> {
    println!("{:28} {:>9} {:>9} {:>9} {:>9}  growth", "n =", SIZES[0], SIZES[1], SIZES[2], SIZES[3]);
    table(
        "n templates",
        |n| (0..n).map(|i| (format!("templates/t{i}.yaml"), object(i))).collect(),
        |_| values(5),
    )?;
    table(
        "one template of n objects",
        |n| vec![("templates/t.yaml".to_owned(), (0..n).map(object).collect())],
        |_| values(5),
    )?;
    table(
        "n values, shown ten times",
        |_| (0..10).map(|i| (format!("templates/t{i}.yaml"), object(i))).collect(),
        values,
    )
}

fn object(number: usize) -> String {
    OBJECT.replace("NUMBER", &number.to_string())
}

fn values(entries: usize) -> String {
    let entries: String = (0..entries).map(|i| format!("  key{i}: value {i}\n")).collect();
    format!("enabled: true\ndata:\n{entries}")
}

fn table(
    name: &str,
    templates: impl Fn(usize) -> Vec<(String, String)>,
    values: impl Fn(usize) -> String,
) -> Result<(), String> {
    let mut times = Vec::new();
    for size in SIZES {
        let mut files = vec![
            File::new("Chart.yaml", b"apiVersion: v2\nname: grow\nversion: 1.0.0\n"),
            File::new("values.yaml", values(size).as_bytes()),
            File::new("templates/_l.tpl", TEMPLATE.as_bytes()),
        ];
        files.extend(templates(size).iter().map(|(path, text)| File::new(path.as_str(), text.as_bytes())));
        times.push(sprig::with_stack(|| time(&files))?);
    }
    let growth = times.last().zip(times.first()).map_or(0.0, |(last, first)| {
        last.as_secs_f64() / first.as_secs_f64() / (SIZES[3] as f64 / SIZES[0] as f64)
    });
    let times: Vec<String> = times.iter().map(|time| format!("{:9.2}", milliseconds(*time))).collect();
    println!("{name:28} {}  {growth:.2} (1 is linear)", times.join(" "));
    Ok(())
}

/// What this thread has used of a core, which tells more than a clock on a busy machine.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// All of it: load, dependencies, values, render, documents.
fn time(files: &[File]) -> Result<Duration, String> {
    // The system counts a thread's time in steps of some milliseconds.
    let start = processor_time();
    for _ in 0..REPEATS {
        let (user, mut warnings) = (Table::new(), Vec::new());
        let chart = Chart::from_files(files.to_vec(), &ArchiveLimits::default());
        let mut chart = chart.map_err(|error| error.to_string())?;
        chart.process_dependencies(&user, &mut warnings).map_err(|error| error.to_string())?;
        let options = sprig::Options::new(0, [7; 32]);
        let files = chart
            .render(&user, &cases::request(), options, &mut warnings)
            .map_err(|error| error.to_string())?;
        let rendering = assemble(files, chart.name(), Notes::OwnOnly, Separators::Strict);
        rendering.map_err(|error| error.to_string())?;
    }
    Ok(processor_time().saturating_sub(start) / REPEATS)
}
