//! The Prometheus text format, as far as tests and benchmarks read it.

use anyhow::{Context, Result};

/// The samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Sample>);

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Samples {
    /// Reads the text; a line that is no sample is skipped.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(parse_line).collect())
    }

    /// Scrapes an address such as `http://127.0.0.1:8080/metrics`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn scrape(url: &str) -> Result<Self> {
        crate::control_plane::install_crypto();
        let response =
            reqwest::get(url).await.with_context(|| format!("scraping {url}"))?.error_for_status()?;
        Ok(Self::parse(&response.text().await?))
    }

    /// The sum of the samples of `name` that carry all of `labels`.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// The sums of the samples of `name`, by the value of one label, in the order of the values.
    pub fn by(&self, name: &str, label: &str) -> std::collections::BTreeMap<String, f64> {
        let mut sums = std::collections::BTreeMap::new();
        for sample in self.matching(name, &[]) {
            if let Some((_, value)) = sample.labels.iter().find(|(key, _)| key == label) {
                *sums.entry(value.clone()).or_default() += sample.value;
            }
        }
        sums
    }

    fn matching<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.iter().any(|(k, v)| k == key && v == value))
        })
    }
}

fn parse_line(line: &str) -> Option<Sample> {
    let (series, rest) = match line.split_once('{') {
        Some((name, rest)) => {
            let end = closing_brace(rest)?;
            let labels = parse_labels(rest.get(..end)?);
            ((name.to_owned(), labels), rest.get(end + 1..)?)
        }
        None => {
            let (name, rest) = line.split_once(' ')?;
            ((name.to_owned(), Vec::new()), rest)
        }
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: series.0, labels: series.1, value })
}

/// The brace that ends the labels: one outside of quotes.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn parse_labels(text: &str) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                other => value.push(other),
            }
        }
        labels.push((key.trim_matches([',', ' ']).to_owned(), value));
        rest = after.get(end..).unwrap_or_default();
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP x y\n\
        x_total{verb=\"GET\",path=\"/a}b\"} 3\n\
        x_total{verb=\"PATCH\",path=\"say \\\"hi\\\"\"} 4.5 1700000000\n\
        plain 1e3\n\
        broken{\n";

    #[test]
    fn sums_by_labels() {
        let samples = Samples::parse(TEXT);
        assert_eq!(samples.sum("x_total", &[]), 7.5);
        assert_eq!(samples.sum("x_total", &[("verb", "GET"), ("path", "/a}b")]), 3.0);
        assert_eq!(samples.sum("x_total", &[("path", "say \"hi\"")]), 4.5);
        assert_eq!(samples.sum("plain", &[]), 1000.0);
        assert_eq!(samples.sum("broken", &[]), 0.0);
        let by: Vec<_> = samples.by("x_total", "verb").into_iter().collect();
        assert_eq!(by, [("GET".to_owned(), 3.0), ("PATCH".to_owned(), 4.5)]);
    }
}
