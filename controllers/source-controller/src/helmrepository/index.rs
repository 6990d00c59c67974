//! The index of a repository: fetched as it is served, then written in order.

use std::fs::File;
use std::io::{self, BufReader, Seek as _};

use chart::IndexError;

use super::access::{Access, FetchError};

/// The index as the repository serves it, in a file without a name.
pub(crate) async fn download(access: &Access, clients: &net::Clients, limit: u64) -> Result<File, String> {
    let failed = |error: &FetchError| {
        let why = match error {
            FetchError::TooLarge(limit) => {
                format!("index exceeds the maximum index file size of {limit} bytes")
            }
            error => error.to_string(),
        };
        format!("failed to cache index to temporary file: {why}")
    };
    let mut file = tempfile::tempfile().map_err(|error| failed(&error.into()))?;
    access
        .fetch(clients, &access.file("index.yaml"), limit, &mut file)
        .await
        .map_err(|error| failed(&error))?;
    Ok(file)
}

/// Writes an index in order: as JSON, with the versions of a chart from the highest down.
///
/// # Errors
/// An index that is none, or files that cannot be read and written.
pub(crate) fn normalise(mut index: &File, out: impl io::Write) -> Result<(), IndexError> {
    index.rewind()?;
    let mut out = io::BufWriter::new(out);
    let mut spill = Spill(io::BufWriter::new(tempfile::tempfile()?));
    chart::normalise_index(&mut BufReader::new(index), &mut spill, &mut out)?;
    io::Write::flush(&mut out)?;
    Ok(())
}

/// Written in large pieces, then read in small ones.
struct Spill(io::BufWriter<File>);

impl io::Write for Spill {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl io::Read for Spill {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.get_mut().read(bytes)
    }
}

impl io::Seek for Spill {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}
