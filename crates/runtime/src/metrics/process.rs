//! Figures about the process itself, from `/proc`.

use std::fmt::Write as _;

/// Clock ticks a second in `/proc`; a constant of the Linux ABI on the architectures we build for.
const TICKS: f64 = 100.0;

/// Prints what can be read; a system without `/proc` gets none of it.
pub(super) fn print(out: &mut String) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command name, in parentheses, may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
    if let (Some(user), Some(system)) = (field(11), field(12)) {
        metric(
            out,
            "process_cpu_seconds_total",
            "counter",
            "CPU time used, in seconds.",
            (user + system) / TICKS,
        );
    }
    if let (Some(start), Some(boot)) = (field(19), boot_time()) {
        metric(
            out,
            "process_start_time_seconds",
            "gauge",
            "Start of the process, in seconds since 1970.",
            boot + start / TICKS,
        );
    }
    if let Some(virtual_bytes) = field(20) {
        metric(out, "process_virtual_memory_bytes", "gauge", "Virtual memory, in bytes.", virtual_bytes);
    }
    let resident = resident_bytes();
    if let Some(resident) = resident {
        metric(out, "process_resident_memory_bytes", "gauge", "Resident memory, in bytes.", resident);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        metric(
            out,
            "process_open_fds",
            "gauge",
            "Open file descriptors.",
            f64::from(u32::try_from(entries.count()).unwrap_or(u32::MAX)),
        );
    }
    // The control-plane dashboard counts pods and charts memory by these two names.
    let _ = write!(
        out,
        "# HELP go_info The implementation, under the name that dashboards count by.\n# TYPE go_info gauge\ngo_info{{version=\"millrace-{}\"}} 1\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(resident) = resident {
        metric(
            out,
            "go_memstats_alloc_bytes",
            "gauge",
            "Memory in use, under the name that dashboards chart.",
            resident,
        );
    }
}

fn metric(out: &mut String, name: &str, type_: &str, help: &str, value: f64) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {type_}\n{name} {value}\n");
}

fn boot_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<f64>().ok().map(|kib| kib * 1024.0)
}
