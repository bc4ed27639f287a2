//! The standard `process_*` metrics, and `lb_build_info`.
//!
//! Names, units and meanings are those that every Prometheus client library exports
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>), so the usual dashboards and
//! alerts fit. Read from `/proc` at each scrape, some tens of microseconds; values that cannot be read are left out.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

use super::exposition::Exposition;
use crate::build_info;
use crate::open_files;

/// Writes all metrics of this process.
pub fn write(exposition: &mut Exposition) {
    exposition.gauge("lb_build_info", "What this program is and was built from; always 1.").sample(
        &[
            ("version", build_info::VERSION),
            ("rustc", build_info::RUSTC),
            ("target", build_info::TARGET),
            ("pingora", build_info::PINGORA),
        ],
        1,
    );
    write_usage(exposition);
    write_open_files(exposition);
}

fn write_usage(exposition: &mut Exposition) {
    let Some(usage) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Usage::parse) else {
        return;
    };
    if let Some(ticks_per_second) = system_constant(SysconfVar::CLK_TCK) {
        let in_seconds = |ticks: u64| ticks as f64 / ticks_per_second as f64;
        exposition
            .counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.")
            .sample_f64(&[], in_seconds(usage.cpu_ticks));
        let booted = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time_seconds);
        if let Some(booted) = booted {
            exposition
                .gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
                .sample_f64(&[], booted as f64 + in_seconds(usage.start_ticks));
        }
    }
    if let Some(page_bytes) = system_constant(SysconfVar::PAGE_SIZE) {
        exposition
            .gauge("process_resident_memory_bytes", "Resident memory size in bytes.")
            .sample(&[], usage.resident_pages.saturating_mul(page_bytes));
    }
    exposition
        .gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")
        .sample(&[], usage.virtual_bytes);
    exposition.gauge("process_threads", "Number of OS threads in the process.").sample(&[], usage.threads);
}

fn write_open_files(exposition: &mut Exposition) {
    if let Some(open) = open_files() {
        exposition.gauge("process_open_fds", "Number of open file descriptors.").sample(&[], open);
    }
    if let Ok(limit) = open_files::open_files() {
        exposition
            .gauge("process_max_fds", "Maximum number of open file descriptors.")
            .sample(&[], limit.soft);
    }
}

fn open_files() -> Option<u64> {
    let directory = "/proc/self/fd";
    // Since Linux 6.2 the directory's size is their number. Before, it is 0, and counting them takes as many steps as
    // there are connections.
    match fs::metadata(directory).ok()?.len() {
        0 => fs::read_dir(directory).ok().map(|entries| (entries.count() as u64).saturating_sub(1)),
        open => Some(open),
    }
}

fn system_constant(variable: SysconfVar) -> Option<u64> {
    sysconf(variable).ok().flatten().and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0)
}

/// The fields of `/proc/PID/stat` that the metrics use.
#[derive(Debug, PartialEq, Eq)]
struct Usage {
    cpu_ticks: u64,
    threads: u64,
    /// Since the machine's start.
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Usage {
    /// Field numbers as in proc(5), from 1. The program's name, field 2, may hold spaces and parentheses; the last
    /// closing parenthesis ends it.
    fn parse(stat: &str) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)? + field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// `btime` of `/proc/stat`: when the machine started, in seconds since 1970.
fn boot_time_seconds(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_does_not_shift_the_fields() {
        let stat = "42 (a) b ) S 1 42 42 0 -1 4194560 9 8 7 6 150 50 0 0 20 0 5 0 1000 4096000 250 1 2 3";
        let expected = Usage {
            cpu_ticks: 200,
            threads: 5,
            start_ticks: 1000,
            virtual_bytes: 4_096_000,
            resident_pages: 250,
        };
        assert_eq!(Usage::parse(stat), Some(expected));
        assert_eq!(Usage::parse("42 (x) S 1"), None);
        assert_eq!(boot_time_seconds("cpu 1 2\nbtime 1790000000\nprocesses 3\n"), Some(1_790_000_000));
    }

    #[test]
    fn this_process_is_described_plausibly() {
        let mut exposition = Exposition::new();
        write(&mut exposition);
        let text = exposition.finish();
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("{name} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..3600.0).contains(&(now - value("process_start_time_seconds"))), "{text}");
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"));
        assert!(value("process_threads") >= 1.0 && value("process_cpu_seconds_total") >= 0.0);
        assert!(text.contains(&format!("lb_build_info{{version=\"{}\"", build_info::VERSION)), "{text}");
    }
}
