//! As little HTTP as a load needs: a connection that writes ready-made requests, and a server that counts events.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    answers: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answers: vec![0; 64 * 1024] })
    }

    /// Writes `count` requests, and reads as many answers, which have no bodies and whose status begins so.
    pub(crate) async fn exchange(&mut self, requests: &[u8], count: u64, status: &str) -> Result<()> {
        self.stream.write_all(requests).await?;
        let (mut filled, mut from) = (0, 0);
        let mut answered = 0;
        while answered < count {
            let room = self.answers.get_mut(filled..).context("the answers are too long")?;
            let read = self.stream.read(room).await?;
            ensure!(read > 0, "the server hung up");
            filled += read;
            let got = self.answers.get(..filled).unwrap_or_default();
            while let Some(end) = find(got.get(from..).unwrap_or_default(), b"\r\n\r\n") {
                let head = got.get(from..from + end).unwrap_or_default();
                let fits =
                    head.strip_prefix(b"HTTP/1.1 ").is_some_and(|rest| rest.starts_with(status.as_bytes()));
                if !fits {
                    bail!("expected status {status}: {}", String::from_utf8_lossy(head));
                }
                from += end + 4;
                answered += 1;
            }
        }
        Ok(())
    }
}

/// A server that takes events and counts them by the number in their messages, `#number#`.
pub(crate) struct Sink {
    pub(crate) url: String,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Default)]
struct Counted {
    numbers: HashSet<u64>,
    repeated: u64,
}

impl Sink {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let counted = Arc::<Mutex<Counted>>::default();
        let shared = Arc::clone(&counted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(take(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { url, counted })
    }

    /// How many events have come.
    pub(crate) fn seen(&self) -> u64 {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).numbers.len() as u64
    }

    /// How many came again.
    pub(crate) fn repeated(&self) -> u64 {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).repeated
    }
}

/// Takes the requests of a connection, one after the other.
async fn take(mut stream: TcpStream, counted: Arc<Mutex<Counted>>) -> Result<()> {
    let mut held = Vec::with_capacity(4096);
    loop {
        let (body, length) = loop {
            if let Some(head) = find(&held, b"\r\n\r\n") {
                let text = std::str::from_utf8(held.get(..head).unwrap_or_default())?;
                let length: usize = text
                    .lines()
                    .find_map(|line| {
                        let (name, value) = line.split_once(':')?;
                        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
                    })
                    .context("a request without a length")?;
                if held.len() >= head + 4 + length {
                    break (head + 4, length);
                }
            }
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
        };
        let number = held.get(body..body + length).and_then(number).context("a request without a number")?;
        {
            let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
            if !counted.numbers.insert(number) {
                counted.repeated += 1;
            }
        }
        held.drain(..body + length);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

fn number(body: &[u8]) -> Option<u64> {
    let from = body.get(find(body, b"\"#")? + 2..)?;
    std::str::from_utf8(from.get(..find(from, b"#")?)?).ok()?.parse().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
