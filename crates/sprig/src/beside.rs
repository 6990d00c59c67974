//! Work that another thread does meanwhile.
//!
//! The threads stay, for two reasons: to map the stack of a new one takes longer than small pieces of work, and a new one
//! begins on the processor of the thread that started it, where it waits until the kernel spreads them, often for
//! milliseconds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use crate::error::Error;
use crate::render::STACK;

/// The most threads: as many renderings at once have one to help them, and each has a processor of its own, too.
static MOST_THREADS: LazyLock<usize> =
    LazyLock::new(|| available_parallelism().map_or(1, |most| most.get().saturating_sub(1).clamp(1, 4)));

type Task = Box<dyn FnOnce() + Send>;

/// The threads that wait for work.
struct Helpers {
    tasks: Sender<Task>,
    waiting: Arc<Mutex<Receiver<Task>>>,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    threads: usize,
    /// Tasks that have not ended.
    tasks: usize,
}

static HELPERS: LazyLock<Helpers> = LazyLock::new(|| {
    let (tasks, waiting) = channel();
    Helpers { tasks, waiting: Arc::new(Mutex::new(waiting)), count: Mutex::default() }
});

impl Helpers {
    fn add(&self, task: Task) {
        let mut count = locked(&self.count);
        count.tasks += 1;
        self.grow(&mut count);
        // With no thread at all it stays where it is, and whoever gave it does it in the end.
        _ = self.tasks.send(task);
    }

    /// Starts the first thread, or one more if there are too few.
    fn grow(&self, count: &mut Count) {
        // How many there may be is not asked for the first: the answer takes as long as small pieces of work.
        if count.threads > 0 && (count.threads >= count.tasks || count.threads >= *MOST_THREADS) {
            return;
        }
        let waiting = Arc::clone(&self.waiting);
        let work = move || {
            loop {
                let next = locked(&waiting).recv();
                let Ok(task) = next else { return };
                task();
                locked(&HELPERS.count).tasks -= 1;
            }
        };
        let thread = std::thread::Builder::new().name("render".to_owned()).stack_size(STACK);
        if thread.spawn(work).is_ok() {
            count.threads += 1;
        }
    }
}

/// What a lock guards: nothing is left half done when somebody panics.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work that is done meanwhile, on a thread with as much stack as [`with_stack`](crate::with_stack) gives.
///
/// A few threads serve the whole process; what none of them has begun is done by [`Beside::end`]. So the work may wait
/// for something only if that comes before `end` is called, or never.
///
/// ```
/// use sprig::Beside;
///
/// let half = Beside::start(|| (0..500_u64).sum::<u64>());
/// let other: u64 = (500..1000).sum();
/// assert_eq!(half.end()? + other, 499_500);
/// # Ok::<(), sprig::Error>(())
/// ```
pub struct Beside<T> {
    work: Arc<Mutex<Option<Work<T>>>>,
    done: Receiver<std::thread::Result<T>>,
}

type Work<T> = Box<dyn FnOnce() -> T + Send>;

impl<T: Send + 'static> Beside<T> {
    /// Starts the work.
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Beside<T> {
        let work: Work<T> = Box::new(work);
        let work = Arc::new(Mutex::new(Some(work)));
        let (sender, done) = channel();
        let slot = Arc::clone(&work);
        HELPERS.add(Box::new(move || {
            let work = locked(&slot).take();
            if let Some(work) = work {
                // Who does not wait for it any more does not want it, either.
                _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
            }
        }));
        Beside { work, done }
    }

    /// Waits for the end of the work, or does it if no thread has begun.
    ///
    /// # Errors
    /// [`Error::Thread`] when the work panicked.
    pub fn end(self) -> Result<T, Error> {
        let work = locked(&self.work).take();
        match work {
            Some(work) => Ok(work()),
            None => self.done.recv().ok().and_then(Result::ok).ok_or(Error::Thread),
        }
    }
}

impl<T> Drop for Beside<T> {
    /// What nobody has begun is not done any more.
    fn drop(&mut self) {
        locked(&self.work).take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn work_is_done_even_if_every_thread_waits() {
        let waiting: Vec<_> = (0..20)
            .map(|n| {
                let (gate, opened) = channel::<()>();
                (gate, Beside::start(move || opened.recv().map(|()| n)))
            })
            .collect();
        let begun = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&begun);
        drop(Beside::start(move || seen.store(true, Ordering::SeqCst)));
        for (n, (gate, work)) in waiting.into_iter().enumerate().rev() {
            gate.send(()).unwrap();
            assert_eq!(work.end().unwrap(), Ok(n));
        }
        assert!(!begun.load(Ordering::SeqCst), "nobody wanted it any more");
    }

    #[test]
    fn a_panic_is_an_error_and_the_threads_live_on() {
        for _ in 0..9 {
            let (begun, ended) = channel::<()>();
            let work = Beside::start(move || {
                let _begun = begun;
                panic!("for the test");
            });
            _ = ended.recv();
            assert!(matches!(work.end(), Err::<(), _>(Error::Thread)));
        }
        assert_eq!(Beside::start(|| 7).end().unwrap(), 7);
    }
}
