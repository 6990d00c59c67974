//! The file server: published artifacts over plain HTTP, and nothing else.
//!
//! GET and HEAD of regular files in the store, with `Content-Length`, `Last-Modified`, a strong `ETag` made from the
//! content's digest, conditional requests and single byte ranges. `/` answers 200 with an empty page, because it is the
//! readiness probe of Flux's manifests. There is no listing; lock files, unfinished files, hidden files and links that
//! leave the store are not found.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use tokio_util::io::ReaderStream;

use crate::store::resolve;
use crate::{Algorithm, Store};

/// Entity tags remembered at most.
const TAGS_MAX: usize = 4096;

/// The service for a store. The caller binds the listener and decides when to start (only the leader serves).
pub fn router(store: &Store) -> Router {
    let files = Files { root: store.root().into(), tags: Arc::default() };
    Router::new().fallback(serve).with_state(files)
}

/// Identity of one version of a file; a published artifact never changes, but a link may point elsewhere.
type Version = (u64, u64, i64, i64, u64);

#[derive(Clone)]
struct Files {
    root: Arc<Path>,
    tags: Arc<Mutex<HashMap<Version, HeaderValue>>>,
}

struct Opened {
    file: File,
    size: u64,
    modified: SystemTime,
    tag: HeaderValue,
}

async fn serve(State(files): State<Files>, request: Request) -> Response {
    let head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        _ => {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
    };
    let Ok(path) = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8() else {
        return status(StatusCode::BAD_REQUEST);
    };
    let Some(path) = path.strip_prefix('/').map(str::to_owned) else {
        return status(StatusCode::BAD_REQUEST);
    };
    if path.is_empty() {
        return status(StatusCode::OK);
    }
    let opened = tokio::task::spawn_blocking(move || files.open(&path)).await;
    match opened {
        Ok(Ok(Some(opened))) => answer(opened, request.headers(), head),
        Ok(Ok(None)) => status(StatusCode::NOT_FOUND),
        Ok(Err(error)) => {
            tracing::error!(%error, "failed to read artifact");
            status(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

impl Files {
    fn open(&self, path: &str) -> std::io::Result<Option<Opened>> {
        let Some(path): Option<PathBuf> = resolve(&self.root, path) else { return Ok(None) };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        let version =
            (metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len());
        let known = self.tags.lock().unwrap_or_else(PoisonError::into_inner).get(&version).cloned();
        let tag = match known {
            Some(tag) => tag,
            None => {
                let (digest, _) = Algorithm::Sha256.digest_reader(&mut file)?;
                file.seek(SeekFrom::Start(0))?;
                let tag =
                    HeaderValue::from_str(&format!("\"{}\"", digest.hex())).map_err(std::io::Error::other)?;
                let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
                if tags.len() >= TAGS_MAX {
                    tags.clear();
                }
                tags.insert(version, tag.clone());
                tag
            }
        };
        Ok(Some(Opened { file, size: metadata.len(), modified: metadata.modified()?, tag }))
    }
}

fn answer(opened: Opened, headers: &HeaderMap, head: bool) -> Response {
    let Opened { mut file, size, modified, tag } = opened;
    let mut response = Response::new(Body::empty());
    let fields = response.headers_mut();
    fields.insert(header::ETAG, tag.clone());
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(modified)) {
        fields.insert(header::LAST_MODIFIED, date);
    }
    if not_modified(headers, &tag, modified) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let (start, length) = match range(headers, &tag, modified, size) {
        Range::Whole => (0, size),
        Range::Part { start, end } => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes {start}-{end}/{size}"));
            (start, end - start + 1)
        }
        Range::Outside => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
    };
    insert(response.headers_mut(), header::CONTENT_LENGTH, &length.to_string());
    if head {
        return response;
    }
    // Artifacts are mostly small: one read without a task switch. Larger ones are streamed.
    if length <= 256 * 1024 {
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(start)).is_err() || file.take(length).read_to_end(&mut bytes).is_err() {
            return status(StatusCode::INTERNAL_SERVER_ERROR);
        }
        *response.body_mut() = Body::from(bytes);
        return response;
    }
    if file.seek(SeekFrom::Start(start)).is_err() {
        return status(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let reader = tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), length);
    *response.body_mut() = Body::from_stream(ReaderStream::with_capacity(reader, 64 * 1024));
    response
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Dates in headers have whole seconds.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

fn not_modified(headers: &HeaderMap, tag: &HeaderValue, modified: SystemTime) -> bool {
    let tag = tag.to_str().unwrap_or_default();
    if let Some(list) = text(headers, header::IF_NONE_MATCH) {
        return list.split(',').map(str::trim).any(|t| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag);
    }
    text(headers, header::IF_MODIFIED_SINCE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .is_some_and(|since| seconds(modified) <= seconds(since))
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part { start: u64, end: u64 },
    Outside,
}

/// One byte range. Several ranges and malformed ones are ignored, as the standard allows.
fn range(headers: &HeaderMap, tag: &HeaderValue, modified: SystemTime, size: u64) -> Range {
    let Some(wanted) = text(headers, header::RANGE) else { return Range::Whole };
    if let Some(condition) = text(headers, header::IF_RANGE) {
        let date = httpdate::parse_http_date(condition).ok();
        if condition != tag.to_str().unwrap_or_default() && date.map(seconds) != Some(seconds(modified)) {
            return Range::Whole;
        }
    }
    parse_range(wanted, size)
}

fn parse_range(wanted: &str, size: u64) -> Range {
    let Some((first, last)) = wanted.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Range::Whole;
    };
    match (first.trim().parse::<u64>().ok(), last.trim().parse::<u64>().ok()) {
        (Some(start), _)
            if start >= size && (last.trim().is_empty() || last.trim().parse::<u64>().is_ok()) =>
        {
            Range::Outside
        }
        (Some(start), None) if last.trim().is_empty() => Range::Part { start, end: size - 1 },
        (Some(start), Some(end)) if start <= end => Range::Part { start, end: end.min(size - 1) },
        (None, Some(0)) if first.is_empty() => Range::Outside,
        (None, Some(_)) if first.is_empty() && size == 0 => Range::Outside,
        (None, Some(suffix)) if first.is_empty() => {
            Range::Part { start: size.saturating_sub(suffix), end: size - 1 }
        }
        _ => Range::Whole,
    }
}

fn status(code: StatusCode) -> Response {
    let text = if code == StatusCode::OK { "" } else { code.canonical_reason().unwrap_or_default() };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = code;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Location, Store};

    #[test]
    fn ranges() {
        let cases = [
            ("bytes=0-4", Range::Part { start: 0, end: 4 }),
            ("bytes=5-", Range::Part { start: 5, end: 9 }),
            ("bytes=5-99", Range::Part { start: 5, end: 9 }),
            ("bytes=-3", Range::Part { start: 7, end: 9 }),
            ("bytes=-99", Range::Part { start: 0, end: 9 }),
            ("bytes=10-", Range::Outside),
            ("bytes=10-20", Range::Outside),
            ("bytes=-0", Range::Outside),
            ("bytes=4-3", Range::Whole),
            ("bytes=0-1,3-4", Range::Whole),
            ("items=0-1", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("bytes=-", Range::Whole),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Range::Outside);
        assert_eq!(parse_range("bytes=-1", 0), Range::Outside);
    }

    async fn start() -> (tempfile::TempDir, Store, String) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = router(&store);
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (directory, store, address)
    }

    fn client() -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    #[tokio::test]
    async fn files_conditions_and_ranges() {
        let (_guard, store, url) = start().await;
        let at = Location::new("OCIRepository", "ns", "x").unwrap();
        let stored = store.write_bytes(&at, "sha256:ab+c.tar.gz", Algorithm::Sha256, b"0123456789").unwrap();
        let client = client();
        let file = format!("{url}/ocirepository/ns/x/sha256:ab+c.tar.gz");

        let response = client.get(&file).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], "10");
        assert_eq!(response.headers()["etag"], format!("\"{}\"", stored.digest.hex()));
        let modified = response.headers()["last-modified"].clone();
        assert_eq!(response.bytes().await.unwrap(), "0123456789");

        let encoded = format!("{url}/ocirepository/ns/x/sha256%3Aab%2Bc.tar.gz");
        assert_eq!(client.get(encoded).send().await.unwrap().bytes().await.unwrap(), "0123456789");

        let head = client.head(&file).send().await.unwrap();
        assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, "10"));

        let part = client.get(&file).header("range", "bytes=2-4").send().await.unwrap();
        assert_eq!(
            (part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()),
            (206, "bytes 2-4/10")
        );
        assert_eq!(part.bytes().await.unwrap(), "234");
        assert_eq!(client.get(&file).header("range", "bytes=10-").send().await.unwrap().status(), 416);

        let tag = format!("\"{}\"", stored.digest.hex());
        for (name, value) in
            [("if-none-match", tag.as_str()), ("if-modified-since", modified.to_str().unwrap())]
        {
            assert_eq!(client.get(&file).header(name, value).send().await.unwrap().status(), 304, "{name}");
        }
        assert_eq!(
            client.get(&file).header("if-none-match", "\"other\"").send().await.unwrap().status(),
            200
        );
        assert_eq!(client.post(&file).send().await.unwrap().status(), 405);
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn large_files_are_streamed_whole() {
        let (_guard, store, url) = start().await;
        let at = Location::new("Bucket", "ns", "x").unwrap();
        let bytes: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
        store.write_bytes(&at, "f", Algorithm::Sha256, &bytes).unwrap();
        let client = client();
        assert_eq!(
            client.get(format!("{url}/bucket/ns/x/f")).send().await.unwrap().bytes().await.unwrap(),
            bytes
        );
        let part = client
            .get(format!("{url}/bucket/ns/x/f"))
            .header("range", "bytes=1-400000")
            .send()
            .await
            .unwrap();
        assert_eq!(part.bytes().await.unwrap(), bytes[1..=400_000]);
    }

    #[tokio::test]
    async fn nothing_else_is_served() {
        let (guard, store, url) = start().await;
        let at = Location::new("Bucket", "ns", "x").unwrap();
        store.write_bytes(&at, "f", Algorithm::Sha256, b"x").unwrap();
        drop(store.lock(&at, "f").unwrap());
        std::fs::write(guard.path().join("bucket/ns/x/.tmp-1"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", guard.path().join("bucket/ns/x/out")).unwrap();
        // A raw socket: clients normalise `..` away.
        let address = url.trim_start_matches("http://").to_owned();
        for path in [
            "/bucket",
            "/bucket/",
            "/bucket/ns/x",
            "/bucket/ns/x/f.lock",
            "/bucket/ns/x/.tmp-1",
            "/bucket/ns/x/out",
            "/bucket/ns/x/../x/f",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/bucket/ns/x//f",
            "//bucket/ns/x/f",
            "/bucket%2Fns/x/f%00",
            "/bucket/ns/x/f/",
        ] {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
    }
}
