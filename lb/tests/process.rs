//! What only a whole process can show: signals before anybody listens, the fork, the change of user, the console.
//!
//! Each case is this program started again with a role to play, so it begins with one thread, as `lb` does. A role
//! says what it saw on standard output; the case judges. Roles end by themselves.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a panic is a test's report, a line a role's")]

#[path = "it/connection_support.rs"]
mod connection_support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use connection_support::{House, eventually};
use lb::config::model::{self, ErrorLog, LogDestination, Severity};
use lb::observe::error_log;
use lb::observe::log_file::LogFiles;
use lb::observe::panics;
use lb::process::daemon::{StandardError, detach};
use lb::process::pid_file::{self, PidFile};
use lb::process::signals::{Signal, Signals, hold};
use lb::process::{environment, user};
use nix::sys::signal::{Signal as System, kill, raise};
use nix::unistd::{Pid, getpid, getsid};

const ROLE: &str = "LB_TEST_ROLE";
const DIRECTORY: &str = "LB_TEST_DIRECTORY";

/// After this a role ends whatever happens: it is nobody's child once it forked.
const LONG: Duration = Duration::from_secs(20);

/// A case and the role it starts.
type Case = (&'static str, fn(&Path), fn(&Path));

const CASES: [Case; 11] = [
    ("held_signals_wait", held_signals_wait, role_held),
    ("unheld_signals_kill", unheld_signals_kill, role_unheld),
    ("signals_have_nginxs_meanings", signals_have_nginxs_meanings, role_signals),
    ("a_daemon_is_on_its_own", a_daemon_is_on_its_own, role_daemon),
    ("a_changed_environment_keeps_the_process", a_changed_environment_keeps_the_process, role_environment),
    ("the_console_is_left", the_console_is_left, role_console),
    ("all_threads_become_the_user", all_threads_become_the_user, role_user),
    ("standard_output_of_another_user_takes_lines", standard_output_of_another_user, role_standard_output),
    ("an_expendable_panic_is_logged_and_counted", an_expendable_panic, role_expendable_panic),
    (
        "a_panic_on_a_request_is_counted_and_no_neighbour_notices",
        a_panic_on_a_request,
        role_panic_on_a_request,
    ),
    ("a_vital_panic_ends_the_process_with_a_line", a_vital_panic, role_vital_panic),
];

fn main() {
    if let Ok(role) = std::env::var(ROLE) {
        let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
        let (_, _, play) = CASES.iter().find(|(name, ..)| *name == role).unwrap();
        return play(&directory);
    }
    // Cargo's own options begin with a dash; a word chooses cases by their name.
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, judge, _) in CASES {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        judge(directory.path());
        println!("test {name} ... ok");
    }
}

fn role(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, name).env(DIRECTORY, directory).env_remove("TZ").env_remove("RUST_LOG");
    command
}

fn play(name: &str, directory: &Path) -> Output {
    role(name, directory).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{:?} {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// As each worker has one: of its own thread alone.
fn workers_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn next(signals: &mut Signals) -> Signal {
    tokio::time::timeout(LONG, signals.next()).await.unwrap()
}

fn held_signals_wait(directory: &Path) {
    assert_eq!(said(&play("held_signals_wait", directory)), "Quit\nReload\nReopen\n");
}

fn role_held(_: &Path) {
    hold().unwrap();
    for signal in [System::SIGHUP, System::SIGUSR1, System::SIGQUIT] {
        // To the process, as an operator would; `raise` is for one thread.
        kill(getpid(), signal).unwrap();
    }
    // On one thread, the runtime passes on all signals that wait before it polls who reads them. With more threads the
    // reader may see the last of them before the first.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut signals = Signals::new(false).unwrap();
        // All three wait, and are told by urgency.
        for _ in 0..3 {
            println!("{:?}", next(&mut signals).await);
        }
    });
}

fn unheld_signals_kill(directory: &Path) {
    let output = play("unheld_signals_kill", directory);
    assert_eq!(output.status.signal(), Some(System::SIGHUP as i32));
}

fn role_unheld(_: &Path) {
    raise(System::SIGHUP).unwrap();
}

fn signals_have_nginxs_meanings(directory: &Path) {
    let expected = "SIGTERM Terminate\nSIGINT Interrupt\nSIGQUIT Quit\nSIGHUP Reload\nSIGUSR1 Reopen\n\
                    SIGUSR2 Unsupported(UpgradeBinary)\nSIGWINCH Unsupported(StopWorkers)\n";
    assert_eq!(said(&play("signals_have_nginxs_meanings", directory)), expected);
}

fn role_signals(_: &Path) {
    hold().unwrap();
    runtime().block_on(async {
        let mut signals = Signals::new(true).unwrap();
        for signal in [
            System::SIGTERM,
            System::SIGINT,
            System::SIGQUIT,
            System::SIGHUP,
            System::SIGUSR1,
            System::SIGUSR2,
            System::SIGWINCH,
        ] {
            kill(getpid(), signal).unwrap();
            println!("{signal} {:?}", next(&mut signals).await);
        }
    });
}

fn a_daemon_is_on_its_own(directory: &Path) {
    let pid_path = directory.join("lb.pid");
    let mut parent = role("a_daemon_is_on_its_own", directory).current_dir(directory).spawn().unwrap();
    let parent_pid = i32::try_from(parent.id()).unwrap();
    assert_eq!(parent.wait().unwrap().code(), Some(0));

    until("the pid file appears", || pid_path.exists());
    let pid = pid_file::read(&pid_path).unwrap();
    assert_ne!(pid, parent_pid);
    let session = getsid(Some(Pid::from_raw(pid))).unwrap();
    assert_eq!(session, Pid::from_raw(pid), "a session of its own");
    for descriptor in 0..3 {
        let target = fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).unwrap();
        assert_eq!(target, Path::new("/dev/null"), "descriptor {descriptor}");
    }
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), fs::canonicalize(directory).unwrap());

    pid_file::signal(&pid_path, System::SIGTERM).unwrap();
    until("the pid file goes", || !pid_path.exists());
}

fn role_daemon(directory: &Path) {
    hold().unwrap();
    detach(StandardError::Null).unwrap();
    let runtime = runtime();
    runtime.block_on(async {
        let mut signals = Signals::new(true).unwrap();
        let _pid_file = PidFile::write(&directory.join("lb.pid")).unwrap();
        assert_eq!(next(&mut signals).await, Signal::Terminate);
    });
}

fn a_changed_environment_keeps_the_process(directory: &Path) {
    let child = role("a_changed_environment_keeps_the_process", directory)
        .args(["-c", "a file"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{pid} None -c a file\n{pid} Some(\"Asia/Tokyo\") -c a file\n");
    assert_eq!(said(&output), expected);
}

fn role_environment(_: &Path) {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    println!("{} {:?} {}", std::process::id(), std::env::var_os("TZ"), arguments.join(" "));
    let configured = [("TZ".to_owned(), Some("Asia/Tokyo".to_owned()))];
    let missing = environment::missing(&configured, |name| std::env::var_os(name));
    if !missing.is_empty() {
        panic!("{}", environment::restart_with(&missing));
    }
}

fn the_console_is_left(directory: &Path) {
    let output = play("the_console_is_left", directory);
    assert!(!output.status.success(), "the role ends in a panic");
    let console = String::from_utf8(output.stderr).unwrap();
    assert_eq!(console, "lb: [emerg] no file yet\nlb: [warn] both\n");
    let log = fs::read_to_string(directory.join("error.log")).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert!(lines[0].contains("[warn]") && lines[0].ends_with(": both"), "{log}");
    assert!(lines[1].contains("[notice]") && lines[1].ends_with(": file only"), "{log}");
    assert!(log.contains("panicked at ") && log.contains("last words"), "where panics are looked for: {log}");
    assert!(!log.contains("no file yet") && !log.contains("below the console"), "{log}");
}

fn role_console(directory: &Path) {
    let logger = error_log::install(None).unwrap();
    lb::emerg!("no file yet");
    lb::notice!("below the console");
    let files = LogFiles::default();
    let destination = LogDestination::File(directory.join("error.log"));
    logger.open(&files, &[ErrorLog { destination, level: Severity::Notice }], &[]).unwrap();
    log::warn!(target: "lb", "both");
    logger.leave_console();
    files.start_writers().unwrap();
    lb::notice!("file only");
    assert!(files.flush(LONG));
    logger.redirect_standard_error().unwrap();
    panic!("last words");
}

/// With the program's hook, and an error log that a thread writes.
fn with_the_hook(directory: &Path) {
    let (logger, files) = (error_log::install(None).unwrap(), LogFiles::default());
    let destination = LogDestination::File(directory.join("log"));
    let log = ErrorLog { destination, level: Severity::Alert };
    logger.open(&files, &[log], &[]).unwrap();
    files.start_writers().unwrap();
    logger.leave_console();
    panics::install();
}

fn an_expendable_panic(directory: &Path) {
    let output = play("an_expendable_panic_is_logged_and_counted", directory);
    assert_eq!(said(&output), "counted 3, the others lived\n");
    let log = fs::read_to_string(directory.join("log")).unwrap();
    for words in ["in a task", "in its work", "on the thread"] {
        let line = log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {log}"));
        assert!(line.contains("[alert]") && line.contains("panicked at lb/tests/process.rs:"), "{line}");
    }
    assert_eq!(log.lines().count(), 3, "{log}");
}

fn role_expendable_panic(directory: &Path) {
    with_the_hook(directory);
    let worker = thread::spawn(|| {
        panics::expendable_thread();
        workers_runtime().block_on(async {
            let fails = tokio::spawn(async { panic!("in a task") });
            let lives = tokio::spawn(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                "the others lived"
            });
            assert!(fails.await.is_err());
            lives.await.unwrap()
        })
    });
    let words = worker.join().unwrap();
    let work = std::panic::catch_unwind(|| panics::expendable(|| panic!("in its work")));
    assert!(work.is_err());
    let thread = thread::spawn(|| {
        panics::expendable_thread();
        panic!("on the thread");
    });
    assert!(thread.join().is_err());
    log::logger().flush();
    println!("counted {}, {words}", panics::count());
}

/// The whole program has no request that panics, as long as nobody finds one. This is its connection loop, its hook and
/// its count, on a thread like a worker's, around an application that panics when asked.
fn a_panic_on_a_request(directory: &Path) {
    let output = play("a_panic_on_a_request_is_counted_and_no_neighbour_notices", directory);
    assert_eq!(said(&output), "counted 3, active 2\n");
    let log = fs::read_to_string(directory.join("log")).unwrap();
    let lines = log.lines().filter(|line| line.contains("[alert]") && line.contains("a panic was asked for"));
    assert_eq!((lines.count(), log.lines().count()), (3, 3), "{log}");
}

fn role_panic_on_a_request(directory: &Path) {
    with_the_hook(directory);
    let worker = thread::spawn(|| {
        panics::expendable_thread();
        workers_runtime().block_on(async {
            let house = House::open().await;
            let (mut idle, mut busy) = (house.connect().await, house.connect().await);
            assert_eq!(idle.get("/before").await.text(), "/before");
            busy.send("GET /hang HTTP/1.1\r\nHost: h\r\n\r\n").await;
            eventually("it is in flight", || house.backend.hanging.load(SeqCst) == 1).await;
            for _ in 0..3 {
                let mut unlucky = house.connect().await;
                unlucky.send("GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
                assert!(
                    unlucky.rest().await.is_ok_and(|bytes| bytes.is_empty()),
                    "it ends without an answer"
                );
                assert_eq!(idle.get("/after").await.text(), "/after");
            }
            house.backend.release.notify_one();
            assert_eq!(busy.answer().await.text(), "released");
            assert_eq!(busy.get("/after").await.text(), "/after");
            eventually("the others are gone", || house.drain.totals().active == 2).await;
            house.drain.totals().active
        })
    });
    let active = worker.join().unwrap();
    log::logger().flush();
    println!("counted {}, active {active}", panics::count());
}

fn a_vital_panic(directory: &Path) {
    for task in ["thread", "task"] {
        fs::write(directory.join("what"), task).unwrap();
        let output = play("a_vital_panic_ends_the_process_with_a_line", directory);
        assert_eq!(output.status.signal(), Some(System::SIGABRT as i32), "{task}: {:?}", output.status);
        let log = fs::read_to_string(directory.join("log")).unwrap();
        let line = log.lines().next().unwrap();
        assert!(line.contains("[emerg]") && line.contains("panicked at lb/tests/process.rs:"), "{line}");
        assert!(line.ends_with("not without me; the process cannot go on"), "{line}");
        fs::remove_file(directory.join("log")).unwrap();
    }
}

/// Once on a thread of no special kind, once in a vital task on an expendable thread.
fn role_vital_panic(directory: &Path) {
    with_the_hook(directory);
    if fs::read_to_string(directory.join("what")).unwrap() == "task" {
        panics::expendable_thread();
        runtime().block_on(panics::Vital::new(async { panic!("not without me") }));
    } else {
        let thread = thread::spawn(|| panic!("not without me"));
        let _ = thread.join();
    }
    println!("still here");
}

/// The user that every system has for having no rights.
fn nobody() -> user::Identity {
    let position = model::Position { file: "nginx.conf".into(), line: 1 };
    let group =
        if fs::read_to_string("/etc/group").unwrap().contains("nogroup:") { "nogroup" } else { "nobody" };
    user::look_up(&model::User { name: "nobody".to_owned(), group: group.to_owned(), position }).unwrap()
}

fn all_threads_become_the_user(directory: &Path) {
    if !user::is_super_user() {
        println!("only root can become somebody else: not tried");
        return;
    }
    let identity = nobody();
    let (uid, gid) = (identity.uid, identity.gid);
    let line = format!("{uid}{uid}{uid}{uid} {gid}{gid}{gid}{gid}\n");
    let expected = format!("{line}{line}true false false\nreopened true false\n");
    assert_eq!(said(&play("all_threads_become_the_user", directory)), expected);
}

fn role_user(directory: &Path) {
    let secret = directory.join("secret");
    fs::write(&secret, "").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    // The directory must be searchable, or its files' owners would not matter.
    fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let files = LogFiles::default();
    let given = files.open(&LogDestination::File(directory.join("given.log"))).unwrap();
    assert!(files.give_to(nobody().uid).is_empty());
    let kept = files.open(&LogDestination::File(directory.join("kept.log"))).unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || held.recv().is_err());
    user::assume(&nobody()).unwrap();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let ids = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().collect::<String>()
        };
        println!("{} {}", ids("Uid:"), ids("Gid:"));
    }
    let own_files_readable = fs::read_dir("/proc/self/fd").is_ok();
    let secret_readable = File::open(&secret).is_ok();
    let back_to_root = nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_ok();
    println!("{own_files_readable} {secret_readable} {back_to_root}");
    println!("reopened {} {}", given.open_again().is_ok(), kept.open_again().is_ok());
    drop(release);
    other.join().unwrap();
}

fn standard_output_of_another_user(directory: &Path) {
    if !user::is_super_user() {
        println!("only root can become somebody else: not tried");
        return;
    }
    let output = play("standard_output_of_another_user_takes_lines", directory);
    assert_eq!(said(&output), "by path: Err(PermissionDenied)\na line\n");
}

fn role_standard_output(_: &Path) {
    user::assume(&nobody()).unwrap();
    let by_path = OpenOptions::new().append(true).open("/dev/stdout").map(|_| ()).map_err(|e| e.kind());
    println!("by path: {by_path:?}");
    std::io::stdout().flush().unwrap();
    let files = LogFiles::default();
    let log = files.open(&LogDestination::File("/dev/stdout".into())).unwrap();
    files.start_writers().unwrap();
    log.append(b"a line");
    assert!(files.flush(LONG));
}
