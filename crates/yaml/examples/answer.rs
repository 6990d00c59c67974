//! Answers the questions of `hack/tools/cmd/yamltruth` with this crate: one JSON string a line in, one answer a line
//! out, so that the two can be compared on any corpus.

#[path = "../tests/answers/mod.rs"]
mod answers;

use std::io::{BufRead as _, Write as _};

use serde_json::json;

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(text) = serde_json::from_str::<String>(&line) else { continue };
        let answer = match answers::answer(&mode, &text) {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error }),
        };
        let _ = writeln!(out, "{answer}");
    }
}
