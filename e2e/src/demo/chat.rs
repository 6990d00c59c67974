//! A chat for the controllers to write to, and the call that a Git host makes after a push. Both are as little HTTP as
//! they need.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::cluster::PATIENCE;

/// A server that takes Slack's messages.
pub(crate) struct Chat {
    /// Where messages are sent.
    pub(crate) url: String,
    messages: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl Chat {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/services/demo", listener.local_addr()?);
        let messages = Arc::<Mutex<Vec<(Instant, Value)>>>::default();
        let taken = Arc::clone(&messages);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                tokio::spawn(async move { take(stream, &taken).await });
            }
        });
        Ok(Self { url, messages })
    }

    /// Waits for a message about an object that mentions a text. Gives what it says, and when it came.
    pub(crate) async fn message(&self, object: &str, text: &str) -> Result<(String, Instant)> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self
                .messages
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .find(|(_, message)| {
                    let author = message.pointer("/attachments/0/author_name").and_then(Value::as_str);
                    author.is_some_and(|author| author.starts_with(object))
                        && message.to_string().contains(text)
                })
                .cloned();
            if let Some((at, message)) = found {
                let said = message.pointer("/attachments/0/text").and_then(Value::as_str);
                return Ok((said.unwrap_or_default().to_owned(), at));
            }
            if Instant::now() > end {
                bail!("the chat heard nothing about {object} at {text}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Takes the requests of a connection and answers each with 200.
async fn take(stream: TcpStream, messages: &Mutex<Vec<(Instant, Value)>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_lowercase();
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let message = serde_json::from_slice(&body)?;
        messages.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), message));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

/// Calls a webhook, as a Git host does after a push.
pub(crate) async fn call(url: &str) -> Result<()> {
    let (address, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("the webhook has no HTTP address")?;
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("POST /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        bail!("the webhook answered {status}");
    }
    Ok(())
}
