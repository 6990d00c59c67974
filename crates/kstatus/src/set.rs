use crate::{Health, Status};

/// The state of a set of objects that someone waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tally {
    /// Every object is Current.
    AllCurrent,
    /// Something is still open, nothing has failed.
    Waiting,
    /// Something has failed, something else is still open.
    SomeFailed,
    /// Every object is Current or Failed, and at least one is Failed.
    Settled,
}

/// Sums up the health of a set. An empty set is all current.
pub fn tally<'a>(set: impl IntoIterator<Item = &'a Health>) -> Tally {
    let (mut open, mut failed) = (false, false);
    for health in set {
        match health.status {
            Status::Current => {}
            Status::Failed => failed = true,
            Status::InProgress | Status::Terminating | Status::NotFound | Status::Unknown => {
                open = true;
            }
        }
    }
    match (failed, open) {
        (false, false) => Tally::AllCurrent,
        (false, true) => Tally::Waiting,
        (true, true) => Tally::SomeFailed,
        (true, false) => Tally::Settled,
    }
}
