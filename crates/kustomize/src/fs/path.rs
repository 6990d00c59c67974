//! Paths relative to a root.

/// The clean form of `path`: no `.`, no empty segments, `..` resolved, no leading or trailing slash. `None` if the
/// path climbs above the root. A leading slash is ignored: the caller decides what an absolute path means.
#[must_use]
pub fn clean(path: &str) -> Option<String> {
    join("", path)
}

/// `path` as seen from the directory `base` (itself clean), in clean form; `None` if it climbs above the root.
#[must_use]
pub fn join(base: &str, path: &str) -> Option<String> {
    let mut out = String::with_capacity(base.len() + path.len() + 1);
    out.push_str(base);
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                if out.is_empty() {
                    return None;
                }
                let cut = out.rfind('/').unwrap_or(0);
                out.truncate(cut);
            }
            name => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(name);
            }
        }
    }
    Some(out)
}

/// The directory of a clean path; the root's is the root.
#[must_use]
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// The last segment of a path.
#[must_use]
pub fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_cleans() {
        for (base, path, expected) in [
            ("", "a/b", Some("a/b")),
            ("a/b", "../c", Some("a/c")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "../x", None),
            ("a", "./b//c/", Some("a/b/c")),
            ("a/b", ".", Some("a/b")),
            ("a/b", "../../x/../y", Some("y")),
        ] {
            assert_eq!(join(base, path).as_deref(), expected, "{base} + {path}");
        }
        assert_eq!(clean("/a/./b/..").as_deref(), Some("a"));
        assert_eq!((parent("a/b"), parent("a"), base_name("a/b"), base_name("a")), ("a", "", "b", "a"));
    }
}
