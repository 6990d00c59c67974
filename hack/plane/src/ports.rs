//! Free loopback ports.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// Below Linux's ephemeral range, so that no outgoing connection takes a port between our check and its use.
const RANGE: std::ops::Range<u32> = 20_000..32_000;

/// `N` distinct loopback ports that nobody listens on now and that this process was not given before. The search starts
/// at a different place in each process, so that planes started at the same moment rarely meet.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let start = nanos.wrapping_add(std::process::id().wrapping_mul(7919));
    let span = RANGE.end - RANGE.start;
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut held = Vec::with_capacity(N);
    for step in 0..span {
        let candidate = RANGE.start + start.wrapping_add(step * 7) % span;
        let Ok(port) = u16::try_from(candidate) else { continue };
        if !given.contains(&port)
            && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        {
            held.push((port, listener));
        }
        if held.len() == N {
            let mut ports = [0; N];
            for (slot, (port, _)) in ports.iter_mut().zip(&held) {
                *slot = *port;
                given.insert(*port);
            }
            return Ok(ports);
        }
    }
    bail!("no {N} free loopback ports between {} and {}", RANGE.start, RANGE.end)
}

/// One loopback port that nobody listens on now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    let [port] = free()?;
    Ok(port)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::{Duration, Instant};

    #[test]
    fn ports_are_distinct_and_free() {
        let mut ports = super::free::<8>().unwrap();
        for port in ports {
            // A process that another test starts inherits the listener that looked for the port, until it runs its program.
            let deadline = Instant::now() + Duration::from_secs(10);
            while let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                assert!(Instant::now() < deadline, "{port}: {error}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
