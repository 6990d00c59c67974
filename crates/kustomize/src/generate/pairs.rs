//! Keys and values from env files, literals and files.

use crate::fs::base_name;
use crate::kustomization::Generator;

/// One key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

/// Reads a file by its path as the kustomization writes it.
pub(crate) type Load<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

/// All pairs of a generator: of env files, then literals, then files. Every failing entry is reported with its field.
pub(crate) fn read_pairs(generator: &Generator, load: Load<'_>) -> Result<Vec<Pair>, Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut errors = Vec::new();
    for (index, path) in generator.envs.iter().enumerate() {
        let read = load(path).and_then(|content| env_file(&content, path));
        match read {
            Ok(more) => pairs.extend(more),
            Err(error) => errors.push((format!("envs[{index}]"), error)),
        }
    }
    for (index, literal) in generator.literals.iter().enumerate() {
        match literal.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                pairs.push(Pair { key: key.to_owned(), value: unquoted(value).as_bytes().to_vec() });
            }
            _ => errors.push((format!("literals[{index}]"), "expected key=value".to_owned())),
        }
    }
    for (index, entry) in generator.files.iter().enumerate() {
        let read =
            file_entry(entry).and_then(|(key, path)| Ok(Pair { key: key.to_owned(), value: load(path)? }));
        match read {
            Ok(pair) => pairs.push(pair),
            Err(error) => errors.push((format!("files[{index}]"), error)),
        }
    }
    if errors.is_empty() { Ok(pairs) } else { Err(errors) }
}

/// `key=path`, or a path whose last segment is the key.
fn file_entry(entry: &str) -> Result<(&str, &str), String> {
    match entry.split_once('=') {
        None => Ok((base_name(entry.trim_end_matches('/')), entry)),
        Some((_, path)) if path.contains('=') => Err(format!("{entry:?} has more than one =")),
        Some(("", _)) => Err(format!("{entry:?} has no key before =")),
        Some((_, "")) => Err(format!("{entry:?} has no path behind =")),
        Some((key, path)) => Ok((key, path)),
    }
}

/// Lines `KEY=value`; blank lines and those that begin with `#` are skipped. A line without `=` has an empty value.
fn env_file(content: &[u8], path: &str) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(line) = std::str::from_utf8(line) else {
            return Err(format!("{path}:{}: the line is not UTF-8", index + 1));
        };
        let line = if index == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let line = line.trim_start_matches(|c: char| c.is_whitespace());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            pairs.push(Pair { key: key.to_owned(), value: value.as_bytes().to_vec() });
        }
    }
    Ok(pairs)
}

/// Removes one pair of equal quotes around the text.
fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(path: &str) -> Result<Vec<u8>, String> {
        match path {
            "a.env" => Ok(b"\xef\xbb\xbfA=1\r\n# no\n\n  B = 2 \nC\n=x\n".to_vec()),
            "dir/f.txt" => Ok(b"text".to_vec()),
            _ => Err("not there".into()),
        }
    }

    fn generator(literals: &[&str], files: &[&str], envs: &[&str]) -> Generator {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Generator { literals: own(literals), files: own(files), envs: own(envs), ..Generator::default() }
    }

    #[test]
    fn reads_all_sources_in_order() {
        let generator = generator(&["l=\"q\"", "m=a=b", "n='"], &["dir/f.txt", "k=dir/f.txt"], &["a.env"]);
        let pairs = read_pairs(&generator, &mut load).unwrap();
        let shown: Vec<(String, String)> =
            pairs.into_iter().map(|pair| (pair.key, String::from_utf8(pair.value).unwrap())).collect();
        let expected = [
            ("A", "1"),
            ("B ", " 2 "),
            ("C", ""),
            ("l", "q"),
            ("m", "a=b"),
            ("n", "'"),
            ("f.txt", "text"),
            ("k", "text"),
        ];
        assert_eq!(shown, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn reports_every_bad_entry() {
        let generator = generator(&["=x", "y"], &["a=b=c", "=p", "k=", "gone"], &["gone"]);
        let errors = read_pairs(&generator, &mut load).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            ["envs[0]", "literals[0]", "literals[1]", "files[0]", "files[1]", "files[2]", "files[3]"]
        );
    }
}
