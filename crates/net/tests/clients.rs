//! Requests against servers on loopback.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use net::auth::Data;
use net::{AddressGuard, Clients, Error, Proxy, Retry, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

const QUICK: Retry = Retry {
    retries: 2,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(1),
    spread: 0.0,
};

async fn fetch(settings: &Settings, url: &str, limit: u64, retry: Retry) -> Result<String, Error> {
    let (url, headers) = (url.parse().unwrap(), http::HeaderMap::new());
    let clients = Clients::new("millrace/test");
    let body = clients.get_bytes(settings, &url, &headers, limit, Duration::from_secs(60), retry).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn server_errors_are_tried_again_and_others_are_not() {
    let (busy, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, missed) = (Arc::clone(&busy), Arc::clone(&gone));
    let router = Router::new()
        .route(
            "/busy",
            get(move || async move {
                match counted.fetch_add(1, Ordering::SeqCst) {
                    0 | 1 => (StatusCode::SERVICE_UNAVAILABLE, ""),
                    _ => (StatusCode::OK, "done"),
                }
            }),
        )
        .route(
            "/gone",
            get(move || async move {
                missed.fetch_add(1, Ordering::SeqCst);
                StatusCode::NOT_FOUND
            }),
        );
    let address = serve(router).await;
    let settings = Settings::default();
    let url = |path: &str| format!("http://u:secret@{address}/{path}?token=secret");
    assert_eq!(fetch(&settings, &url("busy"), 100, QUICK).await.unwrap(), "done");
    assert_eq!(busy.load(Ordering::SeqCst), 3);
    let error = fetch(&settings, &url("gone"), 100, QUICK).await.expect_err("404").to_string();
    assert_eq!(error, format!("GET http://{address}/gone: unexpected status 404 Not Found"));
    assert_eq!(gone.load(Ordering::SeqCst), 1);
    busy.store(0, Ordering::SeqCst);
    assert!(fetch(&settings, &url("busy"), 100, Retry::NONE).await.is_err());
}

#[tokio::test]
async fn a_body_over_the_limit_is_cut_off() {
    let address = serve(Router::new().route("/", get(|| async { "0123456789" }))).await;
    let url = format!("http://{address}/");
    assert_eq!(fetch(&Settings::default(), &url, 10, QUICK).await.unwrap(), "0123456789");
    let error = fetch(&Settings::default(), &url, 9, QUICK).await.expect_err("too large");
    assert!(matches!(error, Error::TooLarge { limit: 9, .. }), "{error}");
}

#[tokio::test]
async fn the_guard_refuses_local_addresses_and_names() {
    let address = serve(Router::new().route("/", get(|| async { "inside" }))).await;
    let guarded = Settings { guard: AddressGuard::NoLocal, ..Default::default() };
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"] {
        let url = format!("http://{host}:{}/", address.port());
        let error = fetch(&guarded, &url, 100, Retry::NONE).await.expect_err("refused").to_string();
        assert!(error.contains("is not allowed: it is"), "{host}: {error}");
    }
    assert_eq!(
        fetch(&Settings::default(), &format!("http://{address}/"), 100, QUICK).await.unwrap(),
        "inside"
    );
}

/// A proxy that answers one request by itself and tells what it was asked.
async fn http_proxy() -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 4096];
        let length = socket.read(&mut buffer).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nproxied").await.unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    });
    (address, task)
}

fn proxy(address: String) -> Settings {
    let pairs = [("address", address.as_str()), ("username", "me"), ("password", "pass")];
    let data: Data =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
    Settings { proxy: Some(Proxy::from_secret("ns/p", &data).unwrap()), ..Default::default() }
}

#[tokio::test]
async fn an_http_proxy_with_credentials() {
    let (address, asked) = http_proxy().await;
    let body = fetch(&proxy(format!("http://{address}")), "http://unknown.invalid/x", 100, Retry::NONE)
        .await
        .unwrap();
    assert_eq!(body, "proxied");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET http://unknown.invalid/x HTTP/1.1"), "{asked}");
    assert!(asked.to_ascii_lowercase().contains("proxy-authorization: basic bwu6cgfzcw=="), "{asked}");
}

#[tokio::test]
async fn a_socks_proxy_resolves_names_itself() {
    let origin = serve(Router::new().route("/", get(|| async { "through socks" }))).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 2];
        socket.read_exact(&mut greeting).await.unwrap();
        socket.read_exact(&mut vec![0; usize::from(greeting[1])]).await.unwrap();
        // User name and password, please.
        socket.write_all(&[5, 2]).await.unwrap();
        let mut login = [0; 9];
        socket.read_exact(&mut login).await.unwrap();
        assert_eq!(&login, b"\x01\x02me\x04pass");
        socket.write_all(&[1, 0]).await.unwrap();
        let mut request = [0; 5];
        socket.read_exact(&mut request).await.unwrap();
        assert_eq!(request[..4], [5, 1, 0, 3], "connect to a name");
        let mut name = vec![0; usize::from(request[4]) + 2];
        socket.read_exact(&mut name).await.unwrap();
        socket.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let mut target = TcpStream::connect(origin).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut socket, &mut target).await;
        String::from_utf8_lossy(&name[..name.len() - 2]).into_owned()
    });
    let body = fetch(&proxy(format!("socks5://{address}")), "http://unknown.invalid/", 100, Retry::NONE)
        .await
        .unwrap();
    assert_eq!(body, "through socks");
    assert_eq!(asked.await.unwrap(), "unknown.invalid");
}

#[tokio::test]
async fn nobody_there_is_told_with_its_cause() {
    let error = fetch(&Settings::default(), "http://127.0.0.1:1/x", 100, QUICK)
        .await
        .expect_err("refused")
        .to_string();
    assert!(error.starts_with("GET http://127.0.0.1:1/x: ") && error.contains("refused"), "{error}");
}

#[test]
fn waits_double_up_to_the_longest() {
    let retry = Retry { longest_wait: Duration::from_secs(5), ..Retry::default() };
    let waits: Vec<_> = (0..5).map(|number| retry.wait(number).map(|wait| wait.as_secs())).collect();
    assert_eq!(waits, [Some(1), Some(2), Some(4), Some(5), None]);
    let spread = Retry { spread: 0.5, ..Retry::default() };
    let wait = spread.wait(0).expect("a wait");
    assert!(wait <= Duration::from_secs(1) && wait > Duration::from_millis(499));
}
