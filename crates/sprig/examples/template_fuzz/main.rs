//! Renders random templates with this engine and with the real one, and compares:
//! `cargo run -p sprig --example template_fuzz -- [--seconds N] [--seed S] [--keep-going] [--outputs-only] [--odd | --texts] [--lines FILE] [--strict]`.
//!
//! A case that differs is made as small as it gets and printed; the exit code is then 1. A case to which the real engine
//! gives several answers (random maps, the time) is counted and left alone. With `--odd`, all cases are calls with objects
//! that few templates give, and with `--texts` calls with texts made of the tokens of YAML, JSON, TOML, expressions, versions,
//! dates, numbers, URLs, formats and templates; `--lines FILE` compares the templates of a file, one a line;
//! `--strict` leaves nothing out that is known to differ. The real engine is
//! `hack/tools/cmd/helmloop`, built when it is missing; it needs Go.

#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "indexes come from below()")]

mod functions;
mod grammar;
mod idioms;
mod notations;
mod oddities;
mod texts;
mod tree;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use gotemplate::DictType;
use oracle::{Oracle, Random};
use serde_json::{Value as Json, json};
use sprig::context::{Capabilities, files, values};
use sprig::{Limits, Options, Scope, Str, Templates, Value};

use grammar::Case;
use tree::{Kind, Part};

const CHART: &str = "apiVersion: v2\nname: t\nversion: 0.1.0\n";
const FILES: [(&str, &str); 3] = [("a.txt", "one\ntwo\n"), ("conf/b.txt", "b: é\n\nlast"), ("conf/c.d", "")];
const FILE: &str = "t/templates/t.yaml";
/// How long the real engine may take for a case, and how much memory, in KiB: nothing limits it otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
const MEMORY: u32 = 3_000_000;
const PANICKED: &str = "it panicked";

struct Settings {
    seconds: u64,
    seed: u64,
    keep_going: bool,
    outputs_only: bool,
    odd: bool,
    texts: bool,
    lines: Option<String>,
    strict: bool,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number =
        |name: &str, default: u64| text(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let flag = |name: &str| args.iter().any(|arg| arg == name);
    let settings = Settings {
        seconds: number("--seconds", 60),
        seed: number("--seed", 1),
        keep_going: flag("--keep-going"),
        outputs_only: flag("--outputs-only"),
        odd: flag("--odd"),
        texts: flag("--texts"),
        lines: text("--lines").cloned(),
        strict: flag("--strict"),
    };
    match sprig::with_stack(|| run(&settings)) {
        Ok(different) => ExitCode::from(u8::from(different > 0)),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// What the real engine says of itself, so that ours says the same.
struct World(Json);

impl World {
    fn ask(oracle: &mut Oracle) -> Result<World, String> {
        let template = "{{ with .Capabilities }}{{ dict \"kube\" .KubeVersion.Version \"major\" .KubeVersion.Major \
            \"minor\" .KubeVersion.Minor \"versions\" .APIVersions \"helm\" .HelmVersion.Version \"go\" .HelmVersion.GoVersion \
            \"client\" .HelmVersion.KubeClientVersion | toJson }}{{ end }}";
        let files = json!({"Chart.yaml": CHART, "templates/t.yaml": template});
        let text = theirs(&oracle.ask(json!({"files": files}))?)?;
        serde_json::from_str(&text).map(World).map_err(|error| format!("{text}: {error}"))
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn texts(&self, key: &str) -> Vec<Str> {
        self.0[key].as_array().into_iter().flatten().filter_map(Json::as_str).map(Str::from).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Output,
    Failure,
    Random,
    Died,
    Known,
    Different,
}

fn run(settings: &Settings) -> Result<u64, String> {
    let mut real = oracle::limited(&oracle::tool("helmloop")?, MEMORY);
    real.env("TZ", "UTC");
    let mut oracle = Oracle::start(real, PATIENCE)?;
    let world = World::ask(&mut oracle)?;
    if std::env::var_os("FUZZ_PANICS").is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    if let Some(path) = &settings.lines {
        return compare_lines(path, &mut oracle, &world, settings);
    }
    let end = Instant::now() + Duration::from_secs(settings.seconds);
    let mut seed = settings.seed;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut different = 0u64;
    while Instant::now() < end {
        let mut random = Random::new(seed);
        let case = match (settings.odd, settings.texts) {
            (true, _) => grammar::odd_case(&mut random),
            (_, true) => notations::case(&mut random),
            _ => grammar::case(&mut random),
        };
        let mut verdict = compare(&case, &mut oracle, &world, settings);
        if verdict == Verdict::Different {
            let small = shrink(case, &mut oracle, &world, settings);
            // Only what is so again and again: the length of an address depends on what the process did before.
            verdict = compare(&small, &mut oracle, &world, settings);
            if verdict == Verdict::Different {
                report(seed, &small, &mut oracle, &world);
            }
        }
        let name = match verdict {
            Verdict::Output => "with output",
            Verdict::Failure => "with an error",
            Verdict::Random => "random",
            Verdict::Died => "deadly for the real engine",
            Verdict::Known => "known to differ",
            Verdict::Different => "different",
        };
        *counts.entry(name).or_default() += 1;
        if verdict == Verdict::Different {
            different += 1;
            if !settings.keep_going {
                break;
            }
        }
        seed += 1;
    }
    let counted: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    println!("{} cases: {}; next seed {seed}", counts.values().sum::<u64>(), counted.join(", "));
    Ok(different)
}

/// Compares what a developer has in mind: each line of a file is a template.
fn compare_lines(path: &str, oracle: &mut Oracle, world: &World, settings: &Settings) -> Result<u64, String> {
    let lines = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let (mut total, mut different) = (0, 0);
    for (i, line) in (0..).zip(lines.lines()) {
        let case = Case {
            template: Part::leaf(Kind::Block, line),
            helpers: Part::new(Kind::Block),
            values: json!({"a": {"b": 1}, "l": [1, "b"], "m": {"a": "x"}, "s": "text", "n": 5}),
        };
        total += 1;
        if compare(&case, oracle, world, settings) == Verdict::Different {
            different += 1;
            report(i, &case, oracle, world);
        }
    }
    println!("{total} lines: {different} different");
    Ok(different)
}

fn question(case: &Case, times: u32) -> Json {
    let mut all = serde_json::Map::new();
    all.insert("Chart.yaml".into(), CHART.into());
    all.insert("templates/t.yaml".into(), case.template.to_string().into());
    all.insert("templates/_h.tpl".into(), case.helpers.to_string().into());
    for (path, text) in FILES {
        all.insert(path.into(), text.into());
    }
    json!({"files": all, "values": case.values, "times": times})
}

fn theirs(answer: &Json) -> Result<String, String> {
    match (answer["outputs"][FILE].as_str(), answer["error"].as_str()) {
        (Some(text), _) => Ok(text.to_owned()),
        (_, Some(error)) => Err(error.to_owned()),
        _ => Ok(String::new()),
    }
}

fn compare(case: &Case, oracle: &mut Oracle, world: &World, settings: &Settings) -> Verdict {
    let Ok(answer) = oracle.ask(question(case, 1)) else { return Verdict::Died };
    let ours = ours(case, world);
    if same(&ours, &theirs(&answer), settings) {
        return if ours.is_ok() { Verdict::Output } else { Verdict::Failure };
    }
    if !settings.strict && unusual(case) {
        return Verdict::Known;
    }
    // Again, in case that time or the order of maps matters.
    let Ok(answer) = oracle.ask(question(case, 200)) else { return Verdict::Died };
    if answer["same"] != true || same(&self::ours(case, world), &theirs(&answer), settings) {
        return Verdict::Random;
    }
    // In another process, in case that addresses matter.
    match oracle.restart().and_then(|()| oracle.ask(question(case, 1))) {
        Ok(other) if theirs(&other) != theirs(&answer) => Verdict::Random,
        Ok(_) => Verdict::Different,
        Err(_) => Verdict::Died,
    }
}

/// What nobody writes, and what differs, see known-differences.txt: what looks at addresses, and at the words of errors
/// about YAML with tags, and patterns of files with nothing in braces.
fn unusual(case: &Case) -> bool {
    let text = format!("{}{}{}", case.template, case.helpers, case.values);
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let address = any(&["printf"]) && any(&["oDate", "ateModify", "date_modify"]);
    (any(&["Files.Glob"]) && any(&["{}", "{,", "{\"", "{\\"]))
        || any(&["len", "initials", "adler32", "sha1", "sha256", "sha512", "b32enc", "b64enc"])
            && (address || (any(&["fromYaml"]) && any(&["!!"])))
}

/// The text with a mark for each run of bytes that are no UTF-8: what shows such a text counts them in its own way.
fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\u{fffd}' || !out.ends_with(c) {
            out.push(c);
        }
    }
    out
}

/// What stands for every address here, under each verb: Go prints that of its own zone.
const ADDRESS: [&str; 5] = [
    "2a0000000000",
    "2A0000000000",
    "46179488366592",
    "1240000000000000",
    "1010100000000000000000000000000000000000000000",
];

/// The text without addresses of pointers.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split("0x");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(|b| b.is_ascii_hexdigit()).count();
        out.push_str("0x");
        out.push_str(if (9..13).contains(&digits) { &part[digits..] } else { part });
    }
    out
}

fn same(ours: &Result<String, String>, theirs: &Result<String, String>, settings: &Settings) -> bool {
    match (ours, theirs) {
        // The text of a scalar that is not what its tag says is shown by Go only: see known-differences.txt.
        (Ok(ours), Ok(theirs))
            if !settings.strict && [ours, theirs].iter().all(|text| text.contains("cannot decode")) =>
        {
            true
        }
        (Ok(ours), Ok(theirs)) => {
            let date = |text: &str| without_addresses(text).replace("T00:00:00Z", "");
            let private = ADDRESS.iter().any(|address| ours.contains(address));
            ours == theirs || date(ours) == date(theirs) || private || readable(ours) == readable(theirs)
        }
        // The size of an expression has a limit here.
        (Err(ours), _) if ours.contains("expression too large or not supported") => true,
        // Go shows the spare room of a list's memory, and may fail later: see known-differences.txt.
        (Err(ours), _) if ours.contains("reflect.Value.Slice: slice index out of bounds") => true,
        // Go prints the context of a template with all that pointers in it point to.
        (Err(ours), Err(theirs)) if theirs.contains("%!s(*common.Capabilities=") => {
            let until = |text: &str| text.split("map[Capabilities:").next().map(str::to_owned);
            until(ours) == until(theirs)
        }
        (Err(ours), Err(theirs)) => {
            ours != PANICKED
                && (settings.outputs_only
                    || without_addresses(ours) == without_addresses(theirs)
                    || ours.contains(" takes more than ")
                    || ours.contains(" is longer than "))
        }
        _ => false,
    }
}

fn ours(case: &Case, world: &World) -> Result<String, String> {
    let (template, helpers) = (case.template.to_string(), case.helpers.to_string());
    let work = || {
        let files = [(FILE, template.as_bytes()), ("t/templates/_h.tpl", helpers.as_bytes())];
        let templates = Templates::compile(files).map_err(|error| error.to_string())?;
        let context = context(&case.values, world);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut options = Options::new(i128::try_from(now.as_nanos()).unwrap_or_default(), [7; 32]);
        options.limits = Limits { output: 64 << 20, steps: 5_000_000, ..Limits::default() };
        let scope = |_: &str| Scope { context: context.clone(), base_path: "t/templates".to_owned() };
        let texts = templates.render(scope, options).map_err(|error| error.to_string())?;
        // As Go's JSON shows bytes that are not UTF-8.
        Ok(texts.get(FILE).map(|text| gotemplate::chars(text).map(|(c, _)| c).collect()).unwrap_or_default())
    };
    let result: Result<String, String> =
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(PANICKED.to_owned()));
    result.map_err(|error| gotemplate::chars(error.as_bytes()).map(|(c, _)| c).collect())
}

fn context(user: &Json, world: &World) -> Value {
    let dict = |entries: Vec<(&str, Value)>| {
        Value::dict(entries.into_iter().map(|(key, value)| (Str::from(key), value)).collect())
    };
    let user = match value(user) {
        Value::Dict(dict) => values(dict.map.borrow().clone()),
        other => other,
    };
    let release = dict(vec![
        ("Name", "rel".into()),
        ("Namespace", "ns".into()),
        ("Service", "Helm".into()),
        ("Revision", Value::int(1)),
        ("IsInstall", true.into()),
        ("IsUpgrade", false.into()),
    ]);
    let capabilities = Capabilities {
        kube_version: world.text("kube"),
        major: world.text("major"),
        minor: world.text("minor"),
        api_versions: world.texts("versions"),
        helm_version: world.text("helm"),
        go_version: world.text("go"),
        client_version: world.text("client"),
    };
    let none = || Value::list(Vec::new());
    let chart = dict(vec![
        ("Name", "t".into()),
        ("Version", "0.1.0".into()),
        ("APIVersion", "v2".into()),
        ("Annotations", Value::typed_dict(DictType::NilStr, BTreeMap::new())),
        ("AppVersion", "".into()),
        ("Condition", "".into()),
        ("Dependencies", none()),
        ("Deprecated", false.into()),
        ("Description", "".into()),
        ("Home", "".into()),
        ("Icon", "".into()),
        ("IsRoot", true.into()),
        ("Keywords", none()),
        ("KubeVersion", "".into()),
        ("Maintainers", none()),
        ("Sources", none()),
        ("Tags", "".into()),
        ("Type", "".into()),
    ]);
    dict(vec![
        ("Values", user),
        ("Release", release),
        ("Chart", chart),
        ("Files", files(FILES.map(|(path, text)| (path.into(), text.into())))),
        ("Capabilities", capabilities.value()),
        ("Subcharts", dict(vec![])),
    ])
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::list(items.iter().map(value).collect()),
        Json::Object(map) => {
            Value::dict(map.iter().map(|(key, item)| (key.as_str().into(), value(item))).collect())
        }
    }
}

/// The smallest case that still differs, of those that are tried.
fn shrink(mut case: Case, oracle: &mut Oracle, world: &World, settings: &Settings) -> Case {
    let mut tries = 3_000;
    'again: loop {
        let mut candidates: Vec<Case> = Vec::new();
        for template in case.template.smaller() {
            candidates.push(Case { template, ..case.clone() });
        }
        for helpers in case.helpers.smaller() {
            candidates.push(Case { helpers, ..case.clone() });
        }
        for values in smaller(&case.values) {
            candidates.push(Case { values, ..case.clone() });
        }
        for candidate in candidates {
            if tries == 0 {
                return case;
            }
            tries -= 1;
            if compare(&candidate, oracle, world, settings) == Verdict::Different {
                case = candidate;
                continue 'again;
            }
        }
        return case;
    }
}

fn smaller(json: &Json) -> Vec<Json> {
    match json {
        Json::Object(map) => {
            let mut all = Vec::new();
            for key in map.keys() {
                let mut copy = map.clone();
                copy.remove(key);
                all.push(Json::Object(copy));
            }
            for (key, item) in map {
                for small in smaller(item) {
                    let mut copy = map.clone();
                    copy.insert(key.clone(), small);
                    all.push(Json::Object(copy));
                }
            }
            all
        }
        Json::Array(items) => (0..items.len())
            .map(|i| {
                Json::Array(
                    items.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, item)| item.clone()).collect(),
                )
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn report(seed: u64, case: &Case, oracle: &mut Oracle, world: &World) {
    println!("--- seed {seed}");
    println!("  template {}", Json::from(case.template.to_string()));
    let helpers = case.helpers.to_string();
    if !helpers.is_empty() {
        println!("  helpers  {}", Json::from(helpers));
    }
    println!("  values   {}", case.values);
    let show = |result: Result<String, String>| match result {
        Ok(text) => Json::from(text).to_string(),
        Err(error) => format!("error {}", Json::from(error)),
    };
    match oracle.ask(question(case, 1)) {
        Ok(answer) => println!("  real     {}", show(theirs(&answer))),
        Err(error) => println!("  real     {error}"),
    }
    println!("  ours     {}", show(ours(case, world)));
}
