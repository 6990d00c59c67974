//! Two processors for a command that lives for milliseconds.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use sprig::Beside;

/// From how many bytes on the archive of a chart is worth the tenth of a millisecond that it takes.
const WORTH_IT: u64 = 32 << 10;

/// How much memory each of the two threads is going to need, about.
const HEAP: usize = 2 << 20;

/// For a large chart, keeps this thread on its processor and the thread that helps off it, until the process ends. What it
/// returns has to live until the helper has begun.
///
/// Linux starts a thread on the processor of the one that starts it, and in virtual machines wakes it on that of the one
/// that wakes it, since processors that sleep may have to wait for the host. It spreads threads with the next tick, after
/// up to 4 ms; the command is over by then.
pub fn keep_apart(chart: &Path) -> Option<Beside<()>> {
    fs::metadata(chart).ok().filter(|metadata| metadata.is_dir() || metadata.len() >= WORTH_IT)?;
    let here = sched_getcpu();
    let mut others = sched_getaffinity(None).ok()?;
    others.unset(here);
    if others.count() == 0 {
        return None;
    }
    let mut own = CpuSet::new();
    own.set(here);
    sched_setaffinity(None, &own).ok()?;
    let helper = Beside::start(move || {
        _ = sched_setaffinity(None, &others);
        grow_heap();
    });
    // The helper begins here, and leaves.
    std::thread::yield_now();
    grow_heap();
    Some(helper)
}

/// Lets the allocator take in one step what it would take from the system page by page. Blocks as large as this it takes
/// from the heap once one has been given back.
fn grow_heap() {
    for _ in 0..2 {
        drop(black_box(Vec::<u8>::with_capacity(HEAP)));
    }
}
