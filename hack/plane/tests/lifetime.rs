//! A plane ends with the process that started it, even when that has no chance to clean up.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use plane::{Options, Plane, Process, Record};

/// Not a test: the process that the test below kills.
#[test]
#[ignore = "run by a_plane_ends_when_its_process_is_killed"]
fn holder() {
    let plane = Plane::start(&Options::default()).unwrap();
    println!("\nplane={}", plane.record().name);
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_plane_ends_when_its_process_is_killed() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holder", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(holder.stdout.take().unwrap());
    let name =
        output.lines().find_map(|line| Some(line.unwrap().strip_prefix("plane=")?.to_owned())).unwrap();
    let record = Record::find(&name).unwrap().unwrap();
    assert!(record.healthy() && record.leased, "{record:?}");
    assert_eq!(record.processes.len(), 5);

    holder.kill().unwrap();
    holder.wait().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while record.running() || record.dir.exists() {
        assert!(std::time::Instant::now() < deadline, "still there: {record:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn two_planes_run_side_by_side_and_stop_apart() {
    let [first, second] = [(); 2].map(|()| std::thread::spawn(|| Plane::start(&Options::default()).unwrap()));
    let (first, second) = (first.join().unwrap(), second.join().unwrap());
    let namespaces = |plane: &Plane| plane.kubectl().run(&["get", "namespaces", "-o", "name"]);
    first.kubectl().run(&["create", "namespace", "only-here"]).unwrap();
    assert!(namespaces(&first).unwrap().contains("only-here"));
    assert!(!namespaces(&second).unwrap().contains("only-here"));

    let processes: Vec<Process> = first.record().processes.clone();
    let dir = first.record().dir.clone();
    first.stop();
    assert!(processes.iter().all(|process| !process.alive()) && !dir.exists());
    assert!(second.record().healthy() && namespaces(&second).is_ok());
}
