//! The live view: the whole terminal on standard error, drawn anew five times a second.
//!
//! The terminal is not put into raw mode, which would swallow Ctrl-C: signals stay with [`crate::run`]. Only what the
//! keyboard would write into the view is switched off, and suspending (Ctrl-Z) and quitting (Ctrl-\), which would leave
//! the terminal as the view needs it. It is given back when the view is dropped, and before a panic speaks.

use std::env;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stderr, Write};
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use nix::libc;
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use nix::unistd::{getpgrp, tcgetpgrp};
use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{LineGauge, Paragraph, Sparkline};

use crate::plan::Goal;
use crate::report::figures::{count, ms, percent, printable, seconds, shortened};
use crate::report::live::Live;

/// What standard error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalKind {
    /// No terminal, or one that cannot move its cursor, or one that belongs to another job at the moment.
    None,
    /// One that can show the live view.
    Capable,
}

impl TerminalKind {
    /// What standard error is now.
    pub fn of_stderr() -> Self {
        let stderr = io::stderr();
        let is_dumb = env::var("TERM").is_ok_and(|name| name == "dumb" || name.is_empty());
        // A job in the background that touches the terminal's settings is stopped by the system.
        let is_ours = || tcgetpgrp(&stderr).is_ok_and(|foreground| foreground == getpgrp());
        if stderr.is_terminal() && !is_dumb && is_ours() { Self::Capable } else { Self::None }
    }
}

/// The terminal while it is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
    palette: Palette,
}

/// The terminal's settings as they were; `None` while it is not ours. Here, because a panic must find it.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it has no settings, does not take them, or does not say how large it is.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        let settings = termios::tcgetattr(io::stderr())?;
        let mut quiet = settings.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
        for key in [SpecialCharacterIndices::VSUSP, SpecialCharacterIndices::VQUIT] {
            quiet.control_chars[key as usize] = libc::_POSIX_VDISABLE;
        }
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(io::stderr())))?;
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                leave();
                before(panic);
            }));
        });
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
        // From here on, dropping gives everything back.
        let screen = Self { terminal, palette: Palette::of_environment() };
        termios::tcsetattr(io::stderr(), SetArg::TCSADRAIN, &quiet)?;
        // Not Terminal::clear, which asks the terminal where its cursor is and waits two seconds for one that is mute.
        execute!(io::stderr(), EnterAlternateScreen, Hide, Clear(ClearType::All))?;
        Ok(screen)
    }

    /// Shows the figures.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn draw(&mut self, live: &Live) -> io::Result<()> {
        let palette = self.palette;
        self.terminal.draw(|frame| draw(frame, live, palette)).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Screen").finish_non_exhaustive()
    }
}

/// Gives the terminal back, if it is ours. Nothing can be done about a terminal that refuses.
pub fn leave() {
    // A panic in the one place that holds the lock would else wait for itself.
    let Ok(mut before) = BEFORE.try_lock() else { return };
    if let Some(settings) = before.take() {
        let mut stderr = io::stderr();
        let _ = execute!(stderr, LeaveAlternateScreen, Show);
        let _ = stderr.flush();
        let _ = termios::tcsetattr(stderr, SetArg::TCSADRAIN, &settings);
    }
}

/// The colours, which are the terminal's own sixteen, so that they fit its ground.
#[derive(Debug, Clone, Copy)]
struct Palette {
    accent: Style,
    faint: Style,
    good: Style,
    bad: Style,
    warning: Style,
}

impl Palette {
    const COLOURED: Self = Self {
        accent: Style::new().fg(Color::Cyan),
        faint: Style::new().fg(Color::DarkGray),
        good: Style::new().fg(Color::Green),
        bad: Style::new().fg(Color::Red),
        warning: Style::new().fg(Color::Yellow),
    };
    const PLAIN: Self = Self {
        accent: Style::new(),
        faint: Style::new(),
        good: Style::new(),
        bad: Style::new(),
        warning: Style::new(),
    };

    /// Without colours when the user wants none (https://no-color.org).
    fn of_environment() -> Self {
        if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            Self::PLAIN
        } else {
            Self::COLOURED
        }
    }
}

/// Smaller than this, there is room for one line.
const SMALLEST: (u16, u16) = (44, 8);

/// How wide names of backends and errors may be.
const NAME_COLUMNS: usize = 28;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

fn draw(frame: &mut Frame, live: &Live, palette: Palette) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text =
            format!("{}  {}/s  {} failed", progress(live), count(live.rate()), count(live.counts.failed));
        frame.render_widget(Line::from(text), Rect { height: area.height.min(1), ..area });
        return;
    }
    // A margin left and right where there is room for one.
    let margin = if area.width >= 60 { 2 } else { 0 };
    let inner = Rect { x: area.x + margin, width: area.width - 2 * margin, ..area };
    // A chart is worth its rows only where there are many.
    let chart_rows = if area.height >= 20 { 4 } else { 2 };
    let [title, gauge, _, rates, figures, rest] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(chart_rows),
        Constraint::Length(2),
        Constraint::Min(0),
    ])
    .areas(inner);

    let target = shortened(&printable(&live.target), usize::from(inner.width).saturating_sub(10));
    frame.render_widget(
        Line::from(vec![
            Span::styled("loadgen", BOLD.patch(palette.accent)),
            Span::raw("  "),
            Span::raw(target),
        ]),
        title,
    );
    frame.render_widget(
        LineGauge::default()
            .ratio(live.part())
            .label(format!("{:>4.0} %  {}", (live.part() * 100.0).floor(), progress(live)))
            .filled_style(palette.accent)
            .unfilled_style(palette.faint),
        gauge,
    );
    draw_rates(frame, live, palette, rates);
    frame.render_widget(Paragraph::new(vec![latency(live, palette), requests(live, palette)]), figures);
    frame.render_widget(Paragraph::new(lists(live, palette, rest)), rest);
}

/// How far the run is, in words.
fn progress(live: &Live) -> String {
    let elapsed = seconds(live.elapsed.as_secs_f64());
    match live.goal {
        Goal::Number(number) => format!("{} of {} in {elapsed}", count(live.counts.total()), count(number)),
        Goal::Time(time) => format!("{elapsed} of {}", seconds(time.as_secs_f64())),
    }
}

/// The rate in figures, and its course at the right.
fn draw_rates(frame: &mut Frame, live: &Live, palette: Palette, area: Rect) {
    let [label, chart] = Layout::horizontal([Constraint::Length(20), Constraint::Min(0)]).areas(area);
    let highest = live.rates.iter().max().copied().unwrap_or(0);
    let lines = vec![
        Line::from(vec![
            Span::styled(format!("{:<9}", "Rate"), palette.faint),
            Span::styled(format!("{}/s", count(live.rate())), BOLD),
        ]),
        Line::styled(format!("{:<9}{}/s", "highest", count(highest)), palette.faint),
    ];
    frame.render_widget(Paragraph::new(lines), label);
    let skipped = live.rates.len().saturating_sub(usize::from(chart.width));
    let shown = live.rates.iter().skip(skipped).copied();
    frame.render_widget(Sparkline::default().data(shown).max(highest.max(1)).style(palette.accent), chart);
}

fn latency<'a>(live: &Live, palette: Palette) -> Line<'a> {
    let mut spans = vec![Span::styled(format!("{:<9}", "Latency"), palette.faint)];
    match live.latency_ms {
        Some(latency) => {
            for (name, value) in [("p50", latency.p50), ("p99", latency.p99), ("max", latency.max)] {
                spans.push(Span::styled(format!("{name} "), palette.faint));
                spans.push(Span::styled(format!("{:<11}", ms(value)), BOLD));
            }
        }
        None if live.is_latency_known => {
            spans.push(Span::styled("no success in the last second", palette.warning));
        }
        None => spans.push(Span::styled("not known yet", palette.faint)),
    }
    Line::from(spans)
}

fn requests<'a>(live: &Live, palette: Palette) -> Line<'a> {
    let failed = live.counts.failed;
    let mut spans = vec![
        Span::styled(format!("{:<9}", "Requests"), palette.faint),
        Span::raw(format!("{} done  ", count(live.counts.total()))),
        Span::styled(
            format!("{} failed", count(failed)),
            if failed > 0 { palette.bad } else { palette.good },
        ),
    ];
    if live.unsent > 0 {
        spans.push(Span::styled(format!("  {} unsent", count(live.unsent)), palette.warning));
    }
    Line::from(spans)
}

/// What happened, failures and backends, as far as there is room: the news are short and wanted most.
fn lists<'a>(live: &Live, palette: Palette, area: Rect) -> Vec<Line<'a>> {
    let room = usize::from(area.height);
    let mut lines = Vec::new();
    if !live.news.is_empty() {
        lines.push(Line::default());
        let latest = live.news.len().saturating_sub((room / 3).max(1));
        for news in &live.news[latest..] {
            lines.push(Line::styled(printable(news), palette.warning));
        }
    }
    if !live.errors.is_empty() {
        lines.push(Line::default());
        for (kind, number) in &live.errors {
            lines.push(Line::from(vec![
                Span::styled(format!("{:>9}", count(*number)), palette.bad),
                Span::raw(format!("  {}", kind.words())),
            ]));
        }
    }
    let shares = live.shares();
    // A blank line, and one for those that have no room.
    let free = room.saturating_sub(lines.len() + 1);
    if shares.is_empty() || free == 0 {
        return lines;
    }
    lines.push(Line::default());
    let shown = if shares.len() <= free { shares.len() } else { free - 1 };
    let names: Vec<_> = shares.iter().map(|(name, ..)| shortened(&printable(name), NAME_COLUMNS)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let largest = shares.iter().map(|(.., share)| *share).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    // Name, bar, share and count with two blanks between each.
    let bar_columns = usize::from(area.width).saturating_sub(width + 26).min(60);
    for (name, (_, answers, share)) in names.iter().zip(&shares).take(shown) {
        let bar = bar(share / largest, bar_columns);
        lines.push(Line::from(vec![
            Span::raw(format!("{name:<width$}  ")),
            Span::styled(format!("{bar:<bar_columns$}"), palette.accent),
            Span::styled(format!("  {:>8}", percent(*share)), BOLD),
            Span::styled(format!("  {:>12}", count(*answers)), palette.faint),
        ]));
    }
    if shown < shares.len() {
        lines.push(Line::styled(format!("and {} more", shares.len() - shown), palette.faint));
    }
    lines
}

/// A bar in eighths of a column.
fn bar(part: f64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (part.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::backend::TestBackend;

    use super::*;
    use crate::record::ErrorKind;
    use crate::report::live::Now;
    use crate::report::live::tests::slot;
    use crate::report::progress::Counts;

    fn live() -> Live {
        let mut live = Live::new("GET http://localhost/\x1b[2J".into(), Goal::Time(Duration::from_secs(10)));
        let (recent, news) =
            ([slot(100, 1.98, 6.44)], ["failover b2: gap 340 ms, 17 errors, not even again".to_owned()]);
        let backends =
            [("b1", 3000), ("b2", 1000), ("evil\x1b[2J", 4000)].map(|(name, n)| (name.to_owned(), n));
        for second in 1..=4 {
            let counts = Counts { succeeded: second * second * 1000, failed: 17 };
            live.look(&Now {
                elapsed: Duration::from_secs(second),
                counts,
                unsent: 12,
                recent: &recent,
                slot: Duration::from_millis(100),
                backends: &backends,
                errors: &[(ErrorKind::Reset, 17), (ErrorKind::TimedOut, 0)],
                news: &news,
            });
        }
        live
    }

    fn drawn(live: &Live, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, live, Palette::COLOURED)).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = buffer.content.chunks(usize::from(width.max(1)));
        rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn everything_that_is_known_has_its_place() {
        let rows = drawn(&live(), 80, 24);
        let row = |words: &[&str]| {
            let found = rows.iter().any(|row| words.iter().all(|word| row.contains(word)));
            assert!(found, "no row with {words:?} in\n{}", rows.join("\n"));
        };
        row(&["loadgen  GET http://localhost/\u{fffd}[2J"]);
        row(&["40 %", "4.00 s of 10.0 s"]);
        row(&["Rate", "7,000/s"]);
        row(&["Latency", "p50 1.98 ms", "p99 6.44 ms", "max 12.9 ms"]);
        row(&["Requests", "16,017 done", "17 failed", "12 unsent"]);
        row(&["failover b2: gap 340 ms, 17 errors, not even again"]);
        row(&["17", "connection reset"]);
        row(&["b1", "37.50 %", "3,000"]);
        row(&["evil\u{fffd}[2J", "████", "50.00 %", "4,000"]);
        assert!(!rows.iter().any(|row| row.contains("timed out")), "{rows:?}");
        assert!(rows.iter().all(|row| row.chars().count() <= 80));
    }

    #[test]
    fn no_size_is_too_small_and_none_too_large() {
        for width in [0, 1, 2, 10, 43, 44, 60, 80, 300] {
            for height in [0, 1, 2, 7, 8, 9, 12, 24, 100] {
                drawn(&live(), width, height);
                drawn(&Live::new(String::new(), Goal::Number(10)), width, height);
            }
        }
        assert_eq!(drawn(&live(), 43, 3)[0], "4.00 s of 10.0 s  7,000/s  17 failed");
    }

    #[test]
    fn backends_without_room_are_counted() {
        let mut live = live();
        live.backends = (0..50).map(|index| (format!("b{index:02}"), 10)).collect();
        let rows = drawn(&live, 80, 24);
        let shown = rows.iter().filter(|row| row.trim_start().starts_with('b')).count();
        assert!(shown > 5);
        let last = rows.iter().rfind(|row| !row.is_empty()).unwrap();
        assert_eq!(last.trim(), format!("and {} more", 50 - shown));
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let text = drawn(&Live::new("GET http://a/".into(), Goal::Number(10)), 80, 24).join("\n");
        for word in ["unsent", "p50", "failover"] {
            assert!(!text.contains(word), "{word} in\n{text}");
        }
    }

    #[test]
    fn without_colours_there_is_none() {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &live(), Palette::PLAIN)).unwrap();
        let is_plain = |cell: &ratatui::buffer::Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
        assert!(terminal.backend().buffer().content.iter().all(is_plain));
    }

    #[test]
    fn bars_are_as_long_as_their_part() {
        assert_eq!([0.0, 0.5, 1.0, 7.0].map(|part| bar(part, 4)), ["", "██", "████", "████"]);
        assert_eq!(bar(0.28, 4), "█▏");
    }
}
