//! The deterministic tar.gz writer: the same tree gives the same bytes on every machine and after every restart.

use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder, write::GzEncoder};

use crate::{Error, Result};

const BLOCK: usize = 512;
/// The deflate stream may depend on how its input is cut, so the cut must depend on nothing but the position.
const CHUNK: usize = 64 * 1024;
/// Twelve octal digits less the terminator; larger files need a PAX record.
const USTAR_MAX_SIZE: u64 = 0o77_777_777_777;

/// Permission of a file in an archive; everything else about a mode is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMode {
    /// Written as 0600.
    Regular,
    /// Any execute bit was set: written as 0700.
    Executable,
}

/// Writes a tree as gzip-compressed tar, streaming: memory does not grow with the tree.
///
/// The root entry `.` is written first. Paths are relative and `/`-separated and must come in pre-order with the names of
/// one directory in byte order (which is *not* the order of a Git tree, where a directory sorts as if it ended in `/`).
/// Owners, times and most of the mode are fixed: uid and gid 0, epoch, directories 0750, files 0600 or 0700.
/// The caller leaves out symbolic links and other special files.
pub struct Writer<W: Write> {
    sink: Chunks<GzEncoder<W>>,
    previous: String,
}

impl<W: Write> Writer<W> {
    /// Starts an archive on `sink`.
    pub fn new(sink: W) -> Result<Self> {
        let encoder = GzBuilder::new().mtime(0).operating_system(255).write(sink, Compression::default());
        let mut writer = Writer { sink: Chunks::new(encoder), previous: String::new() };
        writer.header(".", b'5', 0o750, 0)?;
        Ok(writer)
    }

    /// Adds a directory. Parents need not have been added.
    pub fn directory(&mut self, path: &str) -> Result<()> {
        self.advance(path)?;
        self.header(path, b'5', 0o750, 0)
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: FileMode, contents: &[u8]) -> Result<()> {
        self.file_from(path, mode, contents.len() as u64, contents)
    }

    /// Adds a file of `size` bytes read from `contents`; fewer or more bytes are an error.
    pub fn file_from(&mut self, path: &str, mode: FileMode, size: u64, contents: impl Read) -> Result<()> {
        self.advance(path)?;
        let bits = match mode {
            FileMode::Regular => 0o600,
            FileMode::Executable => 0o700,
        };
        self.header(path, b'0', bits, size)?;
        let copied =
            io::copy(&mut contents.take(size.saturating_add(1)), &mut self.sink).map_err(Error::Malformed)?;
        if copied != size {
            return Err(Error::EntryRefused {
                name: path.to_owned(),
                reason: "its size changed while it was read",
            });
        }
        self.pad(size)
    }

    /// Ends the archive and gives the sink back.
    pub fn finish(mut self) -> Result<W> {
        self.sink.write_all(&[0; 2 * BLOCK]).map_err(Error::Malformed)?;
        self.sink.finish().and_then(GzEncoder::finish).map_err(Error::Malformed)
    }

    /// Refuses names that a reader would refuse, and any order but the one order.
    fn advance(&mut self, path: &str) -> Result<()> {
        let refuse = |reason| Err(Error::EntryRefused { name: path.to_owned(), reason });
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refuse("it is not a clean relative path");
        }
        if path.contains(['\\', '\0']) {
            return refuse("it has a character that no path may have");
        }
        if !self.previous.is_empty()
            && self.previous.split('/').cmp(path.split('/')) != std::cmp::Ordering::Less
        {
            return Err(Error::OutOfOrder { previous: self.previous.clone(), name: path.to_owned() });
        }
        path.clone_into(&mut self.previous);
        Ok(())
    }

    fn header(&mut self, path: &str, kind: u8, mode: u32, size: u64) -> Result<()> {
        let split = split_name(path);
        let mut pax = String::new();
        if split.is_none() {
            pax.push_str(&pax_record("path", path));
        }
        if size > USTAR_MAX_SIZE {
            pax.push_str(&pax_record("size", &size.to_string()));
        }
        if !pax.is_empty() {
            let block = ustar("", "././@PaxHeader", b'x', 0o600, pax.len() as u64);
            self.sink
                .write_all(&block)
                .and_then(|()| self.sink.write_all(pax.as_bytes()))
                .map_err(Error::Malformed)?;
            self.pad(pax.len() as u64)?;
        }
        let (prefix, name) = split.unwrap_or(("", truncate(path)));
        let block = ustar(prefix, name, kind, mode, size.min(USTAR_MAX_SIZE));
        self.sink.write_all(&block).map_err(Error::Malformed)
    }

    fn pad(&mut self, size: u64) -> Result<()> {
        let rest = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        let fill = [0u8; BLOCK];
        let padding = if rest == 0 { &[] } else { fill.get(rest..).unwrap_or(&[]) };
        self.sink.write_all(padding).map_err(Error::Malformed)
    }
}

/// Splits a path into the prefix (at most 155 bytes) and name (at most 100) fields, when it fits and is plain ASCII.
fn split_name(path: &str) -> Option<(&str, &str)> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some(("", path));
    }
    let earliest = path.len().checked_sub(101)?;
    let at = path.bytes().enumerate().skip(earliest).find(|(_, b)| *b == b'/').map(|(at, _)| at)?;
    let (prefix, name) = (path.get(..at)?, path.get(at + 1..)?);
    (prefix.len() <= 155 && !name.is_empty()).then_some((prefix, name))
}

/// The readable beginning of a name that a PAX record gives in full.
fn truncate(path: &str) -> &str {
    let mut end = path.len().min(100);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    path.get(..end).unwrap_or("")
}

/// `<length> <key>=<value>\n`, where the length counts its own digits.
fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

fn ustar(prefix: &str, name: &str, kind: u8, mode: u32, size: u64) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (slot, byte) in block.iter_mut().skip(at).zip(bytes) {
            *slot = *byte;
        }
    };
    put(0, name.as_bytes());
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{size:011o}").as_bytes());
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000");
    put(337, b"0000000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    for (slot, byte) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").into_bytes()) {
        *slot = byte;
    }
    block
}

/// Cuts the stream at fixed positions.
struct Chunks<W> {
    inner: W,
    pending: Vec<u8>,
}

impl<W: Write> Chunks<W> {
    fn new(inner: W) -> Self {
        Chunks { inner, pending: Vec::with_capacity(CHUNK) }
    }

    fn finish(mut self) -> io::Result<W> {
        self.inner.write_all(&self.pending)?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK.saturating_sub(self.pending.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.pending.extend_from_slice(taken);
        if self.pending.len() == CHUNK {
            self.inner.write_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.directory("a").unwrap();
        writer.file("a/b.yaml", FileMode::Regular, b"x: 1\n").unwrap();
        writer.file("a.sh", FileMode::Executable, b"#!/bin/sh\n").unwrap();
        writer.file(&format!("{}/{}", "d".repeat(120), "e".repeat(90)), FileMode::Regular, b"long").unwrap();
        writer.file(&format!("{}/ü{}", "f".repeat(200), "g".repeat(200)), FileMode::Regular, b"pax").unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn header_is_fixed() {
        let bytes = sample();
        // magic, deflate, no flags, mtime 0, default level, unknown system
        assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
        assert_eq!(bytes, sample());
    }

    #[test]
    fn entries_read_back_with_normalised_headers() {
        let bytes = sample();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
            seen.push((
                entry.path().unwrap().to_string_lossy().into_owned(),
                header.mode().unwrap(),
                entry.size(),
            ));
        }
        assert_eq!(seen[0], (".".to_owned(), 0o750, 0));
        assert_eq!(seen[1], ("a".to_owned(), 0o750, 0));
        assert_eq!(seen[2], ("a/b.yaml".to_owned(), 0o600, 5));
        assert_eq!(seen[3], ("a.sh".to_owned(), 0o700, 10));
        assert_eq!(seen[4].0.len(), 211);
        assert!(seen[5].0.contains("/ü"), "{}", seen[5].0);
    }

    #[test]
    fn order_and_names_are_enforced() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.file("b", FileMode::Regular, b"").unwrap();
        assert!(matches!(writer.file("a", FileMode::Regular, b""), Err(Error::OutOfOrder { .. })));
        assert!(matches!(writer.file("b", FileMode::Regular, b""), Err(Error::OutOfOrder { .. })));
        for bad in ["", "/x", "c/../d", "c//d", "c/", "./c", "c\\d"] {
            assert!(matches!(writer.directory(bad), Err(Error::EntryRefused { .. })), "{bad}");
        }
    }

    #[test]
    fn a_file_that_grows_is_an_error() {
        let mut writer = Writer::new(Vec::new()).unwrap();
        assert!(writer.file_from("a", FileMode::Regular, 2, &b"abc"[..]).is_err());
        let mut writer = Writer::new(Vec::new()).unwrap();
        assert!(writer.file_from("a", FileMode::Regular, 4, &b"abc"[..]).is_err());
    }

    #[test]
    fn cut_of_the_input_does_not_matter() {
        let contents: Vec<u8> =
            (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let whole = {
            let mut w = Writer::new(Vec::new()).unwrap();
            w.file("a", FileMode::Regular, &contents).unwrap();
            w.finish().unwrap()
        };
        struct Trickle<'a>(&'a [u8]);
        impl Read for Trickle<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let n = self.0.len().min(buf.len()).min(777);
                buf[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let mut w = Writer::new(Vec::new()).unwrap();
        w.file_from("a", FileMode::Regular, contents.len() as u64, Trickle(&contents)).unwrap();
        assert_eq!(w.finish().unwrap(), whole);
    }
}
