//! Runs the commands of `--at` at their times, and stamps when they began and ended.
//!
//! A command is a shell's, in a process group of its own. Its output is handed over for standard error, every line with the
//! time that the command was planned for, since standard output belongs to the report. A command that could not
//! run, failed or was never due is said so there in capitals: a failover test whose fault did not happen proves
//! nothing. A command that still runs when the run has ended is asked to end, with all that it started, and after
//! half a second killed; that is said too, but is no failure. What a shell that has ended left in the background is not followed.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::report::figures::printable;
use crate::timeline::Mark;

/// A command and when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Since the start of the run.
    pub at: Duration,
    /// As typed.
    pub command: String,
}

/// How long a command may take to end itself when the run has ended.
const GRACE: Duration = Duration::from_millis(500);

/// How long the output of a command that has ended is waited for: what it left in the background may keep it open.
const OUTPUT_PATIENCE: Duration = Duration::from_millis(200);

/// Longer lines are cut into several.
const LINE_LIMIT_BYTES: u64 = 4096;

/// The commands of a run.
#[derive(Debug)]
pub struct Faults {
    running: JoinSet<Mark>,
    end: watch::Sender<bool>,
    lines: mpsc::Receiver<String>,
}

/// What a command has to say: its own output and what became of it, line by line.
#[derive(Clone)]
struct Told {
    at: Duration,
    lines: mpsc::Sender<String>,
}

/// A command that prints without end waits for whoever reads it.
const LINES_WAITING: usize = 64;

impl Faults {
    /// Sets all commands going; `started` is time zero. Needs a runtime.
    pub fn start(faults: &[Fault], started: Instant) -> Self {
        let (end, ended) = watch::channel(false);
        let (sender, lines) = mpsc::channel(LINES_WAITING);
        let mut running = JoinSet::new();
        for fault in faults {
            let told = Told { at: fault.at, lines: sender.clone() };
            running.spawn(run(fault.clone(), started, ended.clone(), told));
        }
        Self { running, end, lines }
    }

    /// The next line that a command has to say; `None` when no command runs or will.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }

    /// Ends what has not ended, and answers with what became of every command, in order of time. The last lines
    /// go to `say`.
    pub async fn finish(mut self, mut say: impl FnMut(&str)) -> Vec<Mark> {
        self.end.send_replace(true);
        while let Some(line) = self.lines.recv().await {
            say(&line);
        }
        let mut marks = self.running.join_all().await;
        marks.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        marks
    }
}

async fn run(fault: Fault, started: Instant, mut ended: watch::Receiver<bool>, told: Told) -> Mark {
    let Fault { at, command } = fault;
    let mut mark = Mark { at_ms: to_ms(at), ended_ms: None, command, status: None, error: None };
    let is_due = tokio::select! {
        biased;
        () = sleep_until((started + at).into()) => true,
        _ = ended.wait_for(|ended| *ended) => false,
    };
    if !is_due {
        fail(&told, &mut mark, "NEVER RUN, the run ended before".to_owned()).await;
        return mark;
    }
    mark.at_ms = to_ms(started.elapsed());
    let mut child = match spawn(&mark.command) {
        Ok(child) => child,
        Err(error) => {
            fail(&told, &mut mark, format!("COULD NOT BE STARTED: {error}")).await;
            return mark;
        }
    };
    told.say(&format!("runs '{}'", mark.command)).await;
    let mut output = JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        output.spawn(pass_on(told.clone(), stdout));
    }
    if let Some(stderr) = child.stderr.take() {
        output.spawn(pass_on(told.clone(), stderr));
    }
    let result = tokio::select! {
        result = child.wait() => Some(result),
        _ = ended.wait_for(|ended| *ended) => None,
    };
    let ended_ms = to_ms(started.elapsed());
    if result.is_none() {
        stop(&mut child).await;
    }
    let _ = timeout(OUTPUT_PATIENCE, async { while output.join_next().await.is_some() {} }).await;
    match result {
        Some(Ok(status)) => {
            mark.ended_ms = Some(ended_ms);
            mark.status = status.code();
            if !status.success() {
                fail(&told, &mut mark, failure(status)).await;
            }
        }
        Some(Err(error)) => fail(&told, &mut mark, format!("LOST: {error}")).await,
        // Said, but no failure: what is to last as long as the run, such as a recording, ends this way.
        None => {
            told.say(&format!("'{}' STOPPED, it was still running when the run ended", mark.command)).await;
        }
    }
    mark
}

fn spawn(command: &str) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Ends the command with all that it started.
async fn stop(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else { return };
    let _ = killpg(group, Signal::SIGTERM);
    let _ = timeout(GRACE, child.wait()).await;
    // The shell may have ended, and what it started not.
    let _ = killpg(group, Signal::SIGKILL);
    let _ = timeout(GRACE, child.wait()).await;
}

fn failure(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("FAILED with status {code}"),
        (None, Some(signal)) => format!("FAILED, ended by signal {signal}"),
        (None, None) => "FAILED".to_owned(),
    }
}

async fn fail(told: &Told, mark: &mut Mark, error: String) {
    told.say(&format!("'{}' {error}", mark.command)).await;
    mark.error = Some(error);
}

/// Writes what comes, line by line.
async fn pass_on(told: Told, stream: impl AsyncRead + Unpin) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stream).take(LINE_LIMIT_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => told.say(String::from_utf8_lossy(&line).trim_end()).await,
        }
    }
}

impl Told {
    async fn say(&self, text: &str) {
        // What commands print is often a table.
        let text = printable(&text.replace('\t', "    "));
        // Nobody is left to tell when the run is over.
        let _ = self.lines.send(format!("[at {:?}] {text}", self.at)).await;
    }
}

fn to_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs commands at once and ends the run when `end` is over.
    fn marks(commands: &[&str], end: Duration) -> Vec<Mark> {
        let faults: Vec<_> = (1..)
            .zip(commands)
            .map(|(ms, command)| Fault { at: Duration::from_millis(ms), command: (*command).to_owned() })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let faults = Faults::start(&faults, Instant::now());
            tokio::time::sleep(end).await;
            faults.finish(|_| {}).await
        })
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_all_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("child");
        let command =
            format!("sh -c 'trap \"\" TERM; echo $$ >{0}.x; mv {0}.x {0}; sleep 60' & wait", file.display());
        let started = Instant::now();
        let [mark] = marks(&[&command], Duration::from_secs(1)).try_into().unwrap();
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!((mark.status, mark.ended_ms, mark.error), (None, None, None));
        // A process that has ended has no command line, even while nobody has taken note of its end.
        let child = std::fs::read_to_string(&file).unwrap();
        let command_line = format!("/proc/{}/cmdline", child.trim());
        let deadline = Instant::now() + Duration::from_secs(5);
        while std::fs::read(&command_line).is_ok_and(|words| !words.is_empty()) {
            assert!(Instant::now() < deadline, "{child} outlived the run");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn every_end_of_a_command_is_told() {
        let table = [
            ("true", Some(0), None),
            ("exit 7", Some(7), Some("FAILED with status 7")),
            ("kill -9 $$", None, Some("FAILED, ended by signal 9")),
            ("no-such-command-anywhere", Some(127), Some("FAILED with status 127")),
        ];
        let commands: Vec<_> = table.iter().map(|row| row.0).collect();
        let marks = marks(&commands, Duration::from_secs(1));
        for ((command, status, error), mark) in table.iter().zip(&marks) {
            assert_eq!(
                (mark.command.as_str(), mark.status, mark.error.as_deref()),
                (*command, *status, *error)
            );
            assert!(mark.ended_ms.unwrap() >= mark.at_ms, "{mark:?}");
        }
    }

    #[test]
    fn what_a_command_prints_does_not_steer_the_terminal() {
        let command = "printf 'a\\tb\\033[2J\\342\\200\\256c\\n'".to_owned();
        let faults = [Fault { at: Duration::ZERO, command }];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let said = runtime.block_on(async {
            let mut faults = Faults::start(&faults, Instant::now());
            let mut said = Vec::new();
            while let Some(line) = faults.line().await {
                said.push(line);
            }
            said
        });
        assert_eq!(said.last().unwrap(), "[at 0ns] a    b\u{fffd}[2J\u{fffd}c");
    }

    #[test]
    fn a_run_that_ends_before_says_so() {
        let faults = [Fault { at: Duration::from_secs(3600), command: "true".to_owned() }];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let marks = runtime.block_on(async { Faults::start(&faults, Instant::now()).finish(|_| {}).await });
        assert_eq!((marks[0].at_ms, marks[0].ended_ms, marks[0].status), (3_600_000.0, None, None));
        assert!(marks[0].error.as_ref().unwrap().starts_with("NEVER RUN"));
    }
}
