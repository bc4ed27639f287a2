//! The live view on a terminal of its own: that it shows, that Ctrl-C still ends the run, and that the terminal is left
//! as it was found.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;

use loadgen::report::terminal::Screen;

use super::scripted::Server;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A run whose standard error is a terminal, and whose keyboard is ours.
struct Run {
    child: Child,
    keyboard: File,
    terminal: File,
    shown: Arc<Mutex<Vec<u8>>>,
    before: Termios,
}

impl Run {
    /// Starts loadgen.
    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_loadgen").as_ref(), arguments, environment)
    }

    /// `--ctty` makes the new terminal the program's own, which is what Ctrl-C and job control go by.
    fn start_program(program: &OsStr, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let (keyboard, terminal) = (File::from(pty.master), File::from(pty.slave));
        let before = tcgetattr(&terminal).unwrap();
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .arg(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(terminal.try_clone().unwrap())
            .stdout(Stdio::piped())
            .stderr(terminal.try_clone().unwrap())
            .spawn()
            .unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut screen, writer) = (keyboard.try_clone().unwrap(), Arc::clone(&shown));
        // Ends with the test: reading fails when the last end of the terminal is closed.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                writer.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, keyboard, terminal, shown, before }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.shown().contains(text) {
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.shown());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Every drawing ends by hiding the cursor.
    fn wait_for_drawings(&self, count: usize) {
        let drawings = || self.shown().matches("\x1b[?25l").count();
        let (before, deadline) = (drawings(), Instant::now() + Duration::from_secs(20));
        while drawings() < before + count {
            assert!(Instant::now() < deadline, "the view stands still: {:?}", self.shown());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The exit status and what was written to standard output.
    fn finish(&mut self) -> (i32, String) {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        (self.child.wait().unwrap().code().unwrap(), stdout)
    }

    /// Whether the terminal is as it was.
    fn is_given_back(&self) -> bool {
        tcgetattr(&self.terminal).unwrap() == self.before
    }
}

#[test]
fn ctrl_c_ends_the_run_and_the_terminal_is_given_back() {
    let server = Server::of_backends(&["b1", "b2"]);
    let url = server.url();
    let mut run = Run::start(&["-d", "30s", "-u", &url], &[]);
    run.wait_for("Latency");
    run.wait_for("Rate");
    assert!(!run.is_given_back(), "the view did not take the terminal");
    // What is typed meanwhile is not shown; Ctrl-Z would leave the terminal as the view needs it.
    run.keyboard.write_all(b"zzz\x1a").unwrap();
    // It has had its effect when the view was drawn twice more: one drawing may have been under way.
    run.wait_for_drawings(2);
    run.keyboard.write_all(b"\x03").unwrap();
    let (status, stdout) = run.finish();
    assert_eq!(status, 0, "{stdout}");
    assert!(stdout.contains("Interrupted; unfinished requests: "), "{stdout}");
    run.wait_for(LEAVE);
    let shown = run.shown();
    assert_eq!((shown.matches(ENTER).count(), shown.matches(LEAVE).count()), (1, 1), "{shown:?}");
    assert!(
        shown.rfind(LEAVE) > shown.rfind(ENTER) && shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"),
        "{shown:?}"
    );
    assert!(shown.contains(&url) && !shown.contains("zzz"), "{shown:?}");
    assert!(run.is_given_back());
}

#[test]
fn commands_are_told_of_as_they_run() {
    let server = Server::of_backends(&["b1"]);
    let mut run = Run::start(
        &["-d", "30s", "-u", &server.url(), "--at", "1s", "true", "--at", "1100ms", "echo happened"],
        &[],
    );
    // Blanks are not drawn on what is blank, so that words are looked for one by one.
    for word in ["'true'", "happened"] {
        run.wait_for(word);
    }
    assert!(!run.shown().contains(LEAVE), "told only at the end: {:?}", run.shown());
    run.keyboard.write_all(b"\x03").unwrap();
    assert_eq!(run.finish().0, 0);
    run.wait_for(LEAVE);
    // And once more below, for good.
    let shown = run.shown();
    assert!(shown[shown.rfind(LEAVE).unwrap()..].contains("[at 1.1s] happened\r\n"), "{shown:?}");
}

#[test]
fn a_signal_and_the_end_of_the_run_give_it_back_too() {
    let server = Server::of_backends(&["b1"]);
    let url = server.url();
    for is_ended in [true, false] {
        let mut run = Run::start(&["-d", if is_ended { "30s" } else { "1s" }, "-u", &url], &[]);
        run.wait_for("Latency");
        if is_ended {
            // setsid waits for the program, which is its only child.
            let children = format!("/proc/{0}/task/{0}/children", run.child.id());
            let child = std::fs::read_to_string(children).unwrap_or_default();
            let pid = child.trim().parse().unwrap_or(run.child.id() as i32);
            kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        }
        let (status, stdout) = run.finish();
        assert_eq!((status, stdout.contains("Interrupted")), (0, is_ended), "{stdout}");
        run.wait_for(LEAVE);
        assert!(run.is_given_back());
    }
}

#[test]
fn lines_are_shown_where_the_live_view_is_not_wanted() {
    let server = Server::of_backends(&["b1"]);
    let url = server.url();
    for (option, terminal) in [(Some("--plain"), "xterm"), (None, "dumb")] {
        let arguments: Vec<_> = ["-d", "1300ms", "-u", &url].into_iter().chain(option).collect();
        let mut run = Run::start(&arguments, &[("TERM", terminal)]);
        assert_eq!(run.finish().0, 0);
        run.wait_for("1.0s  ");
        assert!(!run.shown().contains('\x1b'), "{:?}", run.shown());
        assert!(run.is_given_back());
    }
    // A run that is over at once flashes nothing.
    let mut run = Run::start(&["-n", "10", "-u", &url], &[]);
    assert_eq!(run.finish().0, 0);
    assert_eq!(run.shown(), "");
}

#[test]
fn no_colour_is_shown_to_whoever_wants_none() {
    let server = Server::of_backends(&["b1"]);
    let url = server.url();
    for (environment, has_colour) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let mut run = Run::start(&["-d", "1s", "-u", &url], environment);
        assert_eq!(run.finish().0, 0);
        run.wait_for(LEAVE);
        // Cyan, by its number in the terminal's palette.
        let is_cyan = run.shown().contains("\x1b[38;5;6");
        assert_eq!(is_cyan, has_colour, "{:?}", run.shown());
    }
}

/// Set when this very program is started as one that panics.
const PANICS: &str = "LOADGEN_TEST_PANICS";

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let name = "black_box::live_view::a_panic_gives_the_terminal_back_before_it_speaks";
    if env::var_os(PANICS).is_some() {
        let _screen = Screen::enter().unwrap();
        panic!("in the midst of a run");
    }
    let program = env::current_exe().unwrap();
    let mut run =
        Run::start_program(program.as_os_str(), &["--exact", name, "--nocapture"], &[(PANICS, "1")]);
    let (status, stdout) = run.finish();
    assert_ne!(status, 0, "{stdout}");
    run.wait_for("in the midst of a run");
    let shown = run.shown();
    assert!(shown.contains(ENTER) && shown.find(LEAVE) < shown.find("in the midst of a run"), "{shown:?}");
    assert!(run.is_given_back());
}
