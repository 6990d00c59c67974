use super::*;
use proptest::prelude::*;

const BACKOFF: Backoff = Backoff { min: Duration::from_millis(750), max: Duration::from_secs(900) };

fn secs(seconds: u64) -> Instant {
    Duration::from_secs(seconds)
}

fn queue() -> Queue<&'static str> {
    Queue::new(BACKOFF)
}

fn take<K: Clone + Eq + Hash>(queue: &mut Queue<K>, now: Instant) -> Option<K> {
    queue.take(now).map(|taken| taken.key)
}

#[test]
fn a_key_is_queued_once_and_runs_once() {
    let mut queue = queue();
    assert!(queue.add(&"a", Priority::High, secs(0)));
    assert!(!queue.add(&"a", Priority::High, secs(1)));
    assert_eq!(queue.take(secs(3)), Some(Taken { key: "a", waited: secs(3) }));
    assert_eq!(queue.take(secs(3)), None);
    assert!(!queue.finish(&"a", Next::Event, secs(4)));
    assert_eq!(queue.take(secs(5)), None);
    assert!(queue.entries.is_empty());
}

#[test]
fn what_happens_during_a_run_makes_one_more_run() {
    let mut queue = queue();
    queue.add(&"a", Priority::High, secs(0));
    take(&mut queue, secs(0));
    queue.add(&"a", Priority::High, secs(0));
    queue.add(&"a", Priority::High, secs(0));
    assert_eq!(take(&mut queue, secs(0)), None);
    assert!(queue.finish(&"a", Next::After(secs(60)), secs(1)));
    assert_eq!(take(&mut queue, secs(1)), Some("a"));
    queue.finish(&"a", Next::Event, secs(1));
    assert_eq!(take(&mut queue, secs(100)), None);
}

#[test]
fn an_event_beats_a_delay() {
    let mut queue = queue();
    queue.add_at(&"a", secs(10));
    assert_eq!(take(&mut queue, secs(9)), None);
    queue.add(&"a", Priority::High, secs(9));
    assert_eq!(take(&mut queue, secs(9)), Some("a"));
    queue.finish(&"a", Next::Event, secs(9));
    assert_eq!(take(&mut queue, secs(11)), None);
}

#[test]
fn the_earlier_delay_wins() {
    let mut queue = queue();
    queue.add_at(&"a", secs(10));
    queue.add_at(&"a", secs(20));
    assert_eq!(queue.next_due(), Some(secs(10)));
    queue.add_at(&"a", secs(5));
    assert_eq!(queue.next_due(), Some(secs(5)));
    assert_eq!(take(&mut queue, secs(5)), Some("a"));
    assert_eq!(queue.next_due(), None);
}

#[test]
fn failures_double_the_delay_until_a_success() {
    let mut queue = queue();
    queue.add(&"a", Priority::High, secs(0));
    let mut now = secs(0);
    for expected in [750, 1500, 3000, 6000, 12000] {
        assert_eq!(take(&mut queue, now), Some("a"));
        queue.finish(&"a", Next::Backoff, now);
        assert_eq!(queue.next_due(), Some(now + Duration::from_millis(expected)));
        now = queue.next_due().unwrap();
    }
    take(&mut queue, now);
    queue.finish(&"a", Next::After(secs(60)), now);
    queue.add(&"a", Priority::High, now);
    take(&mut queue, now);
    queue.finish(&"a", Next::Backoff, now);
    assert_eq!(queue.next_due(), Some(now + Duration::from_millis(750)));
    assert_eq!(BACKOFF.delay(40), secs(900));
    assert_eq!(BACKOFF.delay(u32::MAX), secs(900));
}

#[test]
fn an_event_during_backoff_runs_at_once_and_keeps_the_count() {
    let mut queue = queue();
    queue.add(&"a", Priority::High, secs(0));
    take(&mut queue, secs(0));
    queue.finish(&"a", Next::Backoff, secs(0));
    queue.add(&"a", Priority::High, secs(0));
    assert_eq!(take(&mut queue, secs(0)), Some("a"));
    queue.finish(&"a", Next::Backoff, secs(0));
    assert_eq!(queue.next_due(), Some(Duration::from_millis(1500)));
}

#[test]
fn events_come_before_the_start_up_list_but_do_not_starve_it() {
    let mut queue = Queue::new(BACKOFF);
    for key in 0..20 {
        queue.add(&key, Priority::Low, secs(0));
    }
    for key in 100..120 {
        queue.add(&key, Priority::High, secs(0));
    }
    let order: Vec<i32> = std::iter::from_fn(|| take(&mut queue, secs(0))).collect();
    assert_eq!(order.len(), 40);
    assert_eq!(order.iter().take(20).filter(|key| **key >= 100).count(), 18);
    // Within a lane, first come, first served.
    assert!(order.iter().filter(|key| **key < 100).is_sorted());
    assert!(order.iter().filter(|key| **key >= 100).is_sorted());
}

#[test]
fn an_event_lifts_a_key_out_of_the_start_up_list() {
    let mut queue = queue();
    queue.add(&"a", Priority::Low, secs(0));
    queue.add(&"b", Priority::Low, secs(0));
    queue.add(&"b", Priority::High, secs(0));
    assert_eq!(queue.depth(), (1, 1));
    assert_eq!(take(&mut queue, secs(0)), Some("b"));
    assert_eq!(take(&mut queue, secs(0)), Some("a"));
    assert_eq!(take(&mut queue, secs(0)), None);
}

#[test]
fn a_forgotten_key_leaves_nothing() {
    let mut queue = queue();
    queue.add(&"a", Priority::High, secs(0));
    take(&mut queue, secs(0));
    queue.finish(&"a", Next::Backoff, secs(0));
    queue.forget(&"a");
    assert!(queue.entries.is_empty() && queue.timers.is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, bool),
    AddAt(u8, u64),
    Take,
    Finish(u8, u8),
    Forget(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0u8..4;
    prop_oneof![
        (key.clone(), any::<bool>()).prop_map(|(key, high)| Step::Add(key, high)),
        (key.clone(), 0u64..20).prop_map(|(key, after)| Step::AddAt(key, after)),
        Just(Step::Take),
        (any::<u8>(), 0u8..3).prop_map(|(pick, next)| Step::Finish(pick, next)),
        key.prop_map(Step::Forget),
        (1u64..10).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever happens in whatever order: no key runs twice at once, no event is lost, and nothing is left over.
    #[test]
    fn rules_hold_in_any_order(steps in proptest::collection::vec(step(), 0..200)) {
        let mut queue = Queue::new(BACKOFF);
        let mut now = secs(0);
        let mut running: Vec<u8> = Vec::new();
        // Keys that had an event since their last run began.
        let mut owed = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Add(key, high) => {
                    queue.add(&key, if high { Priority::High } else { Priority::Low }, now);
                    owed.insert(key);
                }
                Step::AddAt(key, after) => queue.add_at(&key, now + secs(after)),
                Step::Take => if let Some(taken) = queue.take(now) {
                    prop_assert!(!running.contains(&taken.key), "{} runs twice", taken.key);
                    owed.remove(&taken.key);
                    running.push(taken.key);
                },
                Step::Finish(pick, next) if !running.is_empty() => {
                    let key = running.remove(usize::from(pick) % running.len());
                    let next = match next { 0 => Next::Event, 1 => Next::After(secs(5)), _ => Next::Backoff };
                    let again = queue.finish(&key, next, now);
                    prop_assert_eq!(again, owed.contains(&key));
                }
                Step::Finish(..) => {}
                Step::Forget(key) => queue.forget(&key),
                Step::Pass(seconds) => now += secs(seconds),
            }
            let (high, low) = queue.depth();
            prop_assert!(high <= queue.high.len() && low <= queue.low.len());
            prop_assert_eq!(queue.running().count(), running.len());
        }
        for key in running.drain(..) {
            queue.finish(&key, Next::Event, now);
        }
        let mut rest = std::collections::BTreeSet::new();
        while let Some(taken) = queue.take(now + secs(10_000)) {
            prop_assert!(rest.insert(taken.key), "{} was queued twice", taken.key);
            queue.finish(&taken.key, Next::Event, now);
        }
        prop_assert!(owed.is_subset(&rest), "lost events: {owed:?}, ran {rest:?}");
        prop_assert!(queue.entries.is_empty() && queue.timers.is_empty());
    }
}
