//! Reads and writes a file, and prints how long each took: `cargo run --release -p yaml --example speed -- FILE`.

use std::time::Instant;

fn main() {
    let Some(path) = std::env::args().nth(1) else { return eprintln!("usage: speed FILE") };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => return eprintln!("{path}: {error}"),
    };
    for _ in 0..5 {
        let start = Instant::now();
        let documents = match yaml::read_documents(&bytes, &yaml::ReadLimits::default()) {
            Ok(documents) => documents,
            Err(error) => return eprintln!("{path}: {error}"),
        };
        let read = start.elapsed();
        let start = Instant::now();
        let copy = documents.clone();
        let copied = start.elapsed();
        let start = Instant::now();
        let mut out = String::new();
        for document in &documents {
            if let Err(error) = yaml::write_yaml(document, &mut out) {
                eprintln!("{path}: {error}");
            }
        }
        let wrote = start.elapsed();
        println!(
            "{} documents: read {read:?}, copied {copied:?}, wrote {} bytes in {wrote:?}",
            copy.len(),
            out.len()
        );
    }
}
