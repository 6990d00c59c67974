//! Packet lines: the framing of the Git protocol.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::Error;
use crate::ssh::SshOutput;

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a section.
    Delimiter,
    /// `0002`: the end of a response.
    ResponseEnd,
    /// A line or a piece of data.
    Data(Bytes),
}

/// Where bytes come from.
pub(crate) enum Source {
    Http(Box<reqwest::Response>),
    Ssh(SshOutput),
    #[cfg(test)]
    Memory(std::collections::VecDeque<Bytes>),
}

impl Source {
    async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Http(response) => {
                let url = response.url().clone();
                Ok(response.chunk().await.map_err(|error| net::Error::request("POST", &url, error))?)
            }
            Self::Ssh(output) => output.chunk().await,
            #[cfg(test)]
            Self::Memory(chunks) => Ok(chunks.pop_front()),
        }
    }
}

/// Reads packets from a source.
pub(crate) struct PacketReader {
    source: Source,
    buffer: BytesMut,
}

impl PacketReader {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, buffer: BytesMut::new() }
    }

    /// The next packet; `None` when the source ends between two packets.
    pub(crate) async fn next(&mut self) -> Result<Option<Packet>, Error> {
        if !self.fill(4).await? {
            return if self.buffer.is_empty() { Ok(None) } else { Err(Error::Disconnected) };
        }
        let header: [u8; 4] = self.buffer.first_chunk().copied().unwrap_or_default();
        let length = std::str::from_utf8(&header)
            .ok()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok())
            .ok_or_else(|| Error::protocol("a packet without length; is this a git server?"))?;
        let packet = match length {
            0 => Packet::Flush,
            1 => Packet::Delimiter,
            2 => Packet::ResponseEnd,
            3 => return Err(Error::protocol("a packet of impossible length")),
            length => {
                if !self.fill(length).await? {
                    return Err(Error::Disconnected);
                }
                let mut data = self.buffer.split_to(length).freeze();
                data.advance(4);
                return Ok(Some(Packet::Data(data)));
            }
        };
        self.buffer.advance(4);
        Ok(Some(packet))
    }

    /// The next packet, which must come: a server error in it becomes an error here.
    pub(crate) async fn required(&mut self) -> Result<Packet, Error> {
        match self.next().await? {
            None => Err(Error::Disconnected),
            Some(Packet::Data(data)) => match data.strip_prefix(b"ERR ") {
                Some(message) => Err(Error::Remote(text(message))),
                None => Ok(Packet::Data(data)),
            },
            Some(packet) => Ok(packet),
        }
    }

    /// Reads until `length` bytes are buffered; false when the source ends before.
    async fn fill(&mut self, length: usize) -> Result<bool, Error> {
        while self.buffer.len() < length {
            match self.source.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A line as text, without its end.
pub(crate) fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

/// Appends `line` as a packet. Lines of requests are short: a reference name at most.
pub(crate) fn write_line(request: &mut Vec<u8>, line: &str) {
    let length = line.len() + 5;
    request.extend_from_slice(format!("{length:04x}{line}\n").as_bytes());
}

/// Ends a section.
pub(crate) fn write_delimiter(request: &mut Vec<u8>) {
    request.extend_from_slice(b"0001");
}

/// Ends a message.
pub(crate) fn write_flush(request: &mut Vec<u8>) {
    request.extend_from_slice(b"0000");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(chunks: &[&'static str]) -> PacketReader {
        PacketReader::new(Source::Memory(
            chunks.iter().map(|chunk| Bytes::from_static(chunk.as_bytes())).collect(),
        ))
    }

    #[tokio::test]
    async fn packets_are_put_together_from_any_chunks() {
        let mut packets = reader(&["00", "09he", "llo00010", "000"]);
        assert_eq!(packets.next().await.expect("a packet"), Some(Packet::Data(Bytes::from_static(b"hello"))));
        assert_eq!(packets.next().await.expect("a packet"), Some(Packet::Delimiter));
        assert_eq!(packets.next().await.expect("a packet"), Some(Packet::Flush));
        assert_eq!(packets.next().await.expect("the end"), None);
    }

    #[tokio::test]
    async fn damage_is_an_error() {
        assert!(matches!(reader(&["<html>"]).next().await, Err(Error::Protocol(_))));
        assert!(matches!(reader(&["0003"]).next().await, Err(Error::Protocol(_))));
        assert!(matches!(reader(&["0009he"]).next().await, Err(Error::Disconnected)));
        assert!(matches!(reader(&["00"]).next().await, Err(Error::Disconnected)));
        let error = reader(&["000eERR gone\n\n"]).required().await.expect_err("a server error");
        assert_eq!(error.to_string(), "remote: gone");
    }
}
