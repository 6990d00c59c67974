//! Writes a pack into a generation while it arrives.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use crate::Error;
use crate::generation::{Generation, LARGEST_OBJECT};
use crate::upload_pack::PackPiece;

/// Writes the pack that arrives on `pieces`, and its index. Blocks.
pub(crate) fn receive_pack(
    pieces: mpsc::Receiver<PackPiece>,
    generation: &Arc<Generation>,
    limit: u64,
) -> Result<(), Error> {
    let mut stream = PackStream { pieces, current: Bytes::new(), complete: false, cut: false, left: limit };
    let options = gix_pack::bundle::write::Options {
        // One pack is resolved by one thread: other remotes need theirs.
        thread_limit: Some(1),
        alloc_limit_bytes: Some(LARGEST_OBJECT),
        ..Default::default()
    };
    // Only a pack for somebody who has something may leave bases out.
    let bases = match generation.tips().is_empty() {
        true => None,
        false => Some(generation.objects()?.reader().into_handle()),
    };
    let written = gix_pack::Bundle::write_to_directory(
        &mut stream,
        Some(&generation.pack_directory()),
        &mut gix_utils::progress::Discard,
        &AtomicBool::new(false),
        bases,
        generation.hash,
        options,
    );
    let outcome = match written {
        Ok(outcome) => outcome,
        Err(_) if stream.cut => return Err(Error::Disconnected),
        Err(_) if stream.left == 0 => return Err(Error::TooLarge { limit }),
        Err(error) => {
            return Err(Error::Store { action: "write a pack", reason: error.to_string() });
        }
    };
    // Bytes after the end of the pack, and the word that it was all of it.
    io::copy(&mut stream, &mut io::sink()).map_err(|_| Error::Disconnected)?;
    if let Some(keep) = outcome.keep_path {
        let _ = std::fs::remove_file(keep);
    }
    Ok(())
}

/// The arriving pack as a reader.
struct PackStream {
    pieces: mpsc::Receiver<PackPiece>,
    current: Bytes,
    complete: bool,
    cut: bool,
    left: u64,
}

impl BufRead for PackStream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() && !self.complete {
            match self.pieces.blocking_recv() {
                Some(PackPiece::Data(data)) => {
                    self.left = self.left.saturating_sub(data.len() as u64);
                    if self.left == 0 {
                        return Err(io::Error::other("too large"));
                    }
                    self.current = data;
                }
                Some(PackPiece::Complete) => self.complete = true,
                None => {
                    self.cut = true;
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount.min(self.current.len()));
    }
}

impl Read for PackStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
