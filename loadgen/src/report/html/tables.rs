//! The parts of the page that are tables: exact where the charts are clear.

use super::colours::Colours;
use super::{section, swatch};
use crate::objective::{Judged, Verdict};
use crate::record::ErrorKind;
use crate::report::figures::{self, count, ms, percent};
use crate::report::svg::markup::{At, Markup};
use crate::report::words;
use crate::summary::{BackendShare, Latency, Summary};

/// More rows than this are folded away; whoever has so many backends looks for one by the browser's search.
const ROWS_SHOWN: usize = 24;

/// Characters of a name that are shown.
const NAME_SHOWN: usize = 36;

/// A table with these headings; a heading that begins with `#` is above numbers.
fn table(out: &mut Markup, class: &str, headings: &[&str], rows: impl FnOnce(&mut Markup)) {
    out.element("div", &[("class", &"scrolls")], |scrolls| {
        scrolls.element("table", &[("class", &class)], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for heading in headings {
                        let (class, text) =
                            heading.strip_prefix('#').map_or(("", *heading), |text| ("number", text));
                        row.text_element("th", &[("class", &class), ("scope", &"col")], text);
                    }
                });
            });
            table.element("tbody", &[], rows);
        });
    });
}

fn number(row: &mut Markup, text: impl std::fmt::Display) {
    row.text_element("td", &[("class", &"number")], text);
}

/// What was asked for, and whether it was met.
pub(super) fn objectives(main: &mut Markup, objectives: &[Judged]) {
    if objectives.is_empty() {
        return;
    }
    section(main, "Objectives", |section| {
        table(section, "objectives", &["", "Objective", "Measured", "#Samples"], |rows| {
            for judged in objectives {
                rows.element("tr", &[], |row| {
                    let (class, sign, said) = match judged.verdict {
                        Verdict::Met => ("sign good", "✓", "met"),
                        Verdict::Missed => ("sign bad", "✗", "missed"),
                        Verdict::TooFewSamples => ("sign bad", "✗", "missed: too few samples"),
                    };
                    row.element("td", &[], |cell| {
                        cell.text_element(
                            "span",
                            &[("class", &class), ("role", &"img"), ("aria-label", &said)],
                            sign,
                        );
                    });
                    row.element("td", &[], |cell| cell.text_element("code", &[], &judged.objective));
                    row.text_element("td", &[], words::verdict(judged));
                    number(row, count(judged.samples));
                });
            }
        });
    });
}

/// The distribution in figures.
pub(super) fn percentiles(out: &mut Markup, latency: &Latency, service: Option<&Latency>) {
    let headings = ["", "#min", "#mean", "#p50", "#p90", "#p95", "#p99", "#p99.9", "#max"];
    table(out, "percentiles", &headings, |rows| {
        let name = if service.is_some() { "Response" } else { "Latency" };
        for (name, latency) in [(name, Some(latency)), ("Service", service)] {
            let Some(Latency { min, mean, p50, p90, p95, p99, p99_9, max }) = latency else { continue };
            rows.element("tr", &[], |row| {
                row.text_element("th", &[("scope", &"row")], name);
                for value in [min, mean, p50, p90, p95, p99, p99_9, max] {
                    number(row, ms(*value));
                }
            });
        }
    });
}

/// Who answered.
pub(super) fn backends(out: &mut Markup, summary: &Summary, colours: &Colours) {
    let (shown, folded) = summary.backends.split_at(summary.backends.len().min(ROWS_SHOWN));
    backend_rows(out, summary, colours, shown, true);
    if !folded.is_empty() {
        out.element("details", &[], |details| {
            let more = figures::counted(folded.len() as u64, "more backend", "more backends");
            details.text_element("summary", &[], more);
            backend_rows(details, summary, colours, folded, false);
        });
    }
}

fn backend_rows(
    out: &mut Markup,
    summary: &Summary,
    colours: &Colours,
    rows: &[BackendShare],
    is_first: bool,
) {
    let has_latency = summary.backends.iter().any(|backend| backend.latency_ms.is_some());
    let has_classes =
        summary.backends.iter().any(|backend| backend.classes.keys().any(|class| class != "2xx"));
    let expected = summary.shares.as_ref().map(|shares| shares.expected.as_slice());
    let largest = summary.backends.iter().map(|backend| backend.share).fold(0.0, f64::max);
    let mut headings = vec!["Backend", "", "#Answers", "#Share"];
    if expected.is_some() {
        headings.push("#Expected");
    }
    headings.push("#Errors");
    if has_classes {
        headings.push("By status");
    }
    if has_latency {
        headings.extend(["#p50", "#p99", "#max"]);
    }
    table(out, "backends", &headings, |body| {
        for backend in rows {
            // `rows` is a part of the summary's list, in its order.
            let index = summary.backends.iter().position(|other| other.name == backend.name);
            let expected = expected.map(|expected| index.and_then(|index| expected.get(index)));
            body.element("tr", &[], |row| {
                let colour = colours.of(&backend.name);
                row.element("th", &[("scope", &"row")], |cell| {
                    swatch(cell, &colour.class(), colour.is_hatched());
                    name(cell, &backend.name);
                });
                row.element("td", &[("class", &"bar")], |cell| {
                    let part = if largest > 0.0 { backend.share / largest } else { 0.0 };
                    bar(cell, &colour.class(), part);
                });
                number(row, count(backend.answers));
                number(row, percent(backend.share));
                if let Some(expected) = expected {
                    number(row, expected.map_or_else(String::new, |share| percent(*share)));
                }
                let class = if backend.errors > 0 { "number bad" } else { "number none" };
                row.text_element("td", &[("class", &class)], count(backend.errors));
                if has_classes {
                    let classes =
                        backend.classes.iter().map(|(class, number)| format!("{class} {}", count(*number)));
                    row.text_element("td", &[("class", &"classes")], classes.collect::<Vec<_>>().join(" · "));
                }
                if has_latency {
                    let latency = backend.latency_ms.map(|latency| [latency.p50, latency.p99, latency.max]);
                    for value in latency.map_or([None; 3], |values| values.map(Some)) {
                        number(row, value.map_or_else(String::new, ms));
                    }
                }
            });
        }
        if is_first && summary.answers_without_backend > 0 {
            let answers: u64 = summary.statuses.values().sum();
            body.element("tr", &[("class", &"unnamed")], |row| {
                row.text_element("th", &[("scope", &"row")], "(unnamed)");
                row.text_element("td", &[], "");
                number(row, count(summary.answers_without_backend));
                number(row, percent(summary.answers_without_backend as f64 / answers.max(1) as f64));
                for _ in 4..headings.len() {
                    row.text_element("td", &[], "");
                }
            });
        }
    });
}

/// A name may be as long as a header; all of it is in the tip.
fn name(cell: &mut Markup, name: &str) {
    let shown = figures::shortened(name, NAME_SHOWN);
    if shown == name {
        cell.text(name);
    } else {
        cell.text_element("span", &[("title", &name)], shown);
    }
}

/// A bar from 0 to 1.
fn bar(out: &mut Markup, class: &str, part: f64) {
    let view: [(&'static str, &dyn std::fmt::Display); 4] = [
        ("class", &"bar"),
        ("viewBox", &"0 0 100 8"),
        ("preserveAspectRatio", &"none"),
        ("aria-hidden", &"true"),
    ];
    out.element("svg", &view, |bar| {
        bar.empty("rect", &[("class", &"track"), ("width", &"100"), ("height", &"8")]);
        let class = format!("area {class}");
        bar.empty("rect", &[("class", &class), ("width", &At(part * 100.0)), ("height", &"8")]);
    });
}

/// Backends that stopped, and what was done to them.
pub(super) fn failovers(main: &mut Markup, summary: &Summary) {
    let marks = summary.timeline.as_ref().map_or(&[][..], |timeline| timeline.marks.as_slice());
    if summary.failovers.is_empty() && marks.is_empty() {
        return;
    }
    let at = |ms: f64| format!("{:.2} s", ms / 1e3);
    section(main, "Failover", |section| {
        if summary.failovers.is_empty() {
            section.text_element("p", &[("class", &"sub")], "No backend stopped answering.");
        } else {
            let headings = ["Backend", "#Lost at", "#Gap", "#Errors", "#Even again after", "#Back after"];
            table(section, "failovers", &headings, |rows| {
                for failover in &summary.failovers {
                    rows.element("tr", &[], |row| {
                        row.text_element("th", &[("scope", &"row")], &failover.backend);
                        number(row, at(failover.at_ms));
                        number(row, ms(failover.gap_ms));
                        number(row, count(failover.errors));
                        number(row, failover.even_after_ms.map_or("not in this run".to_owned(), at));
                        number(row, failover.back_after_ms.map_or("not in this run".to_owned(), at));
                    });
                }
            });
        }
        if !marks.is_empty() {
            section.text_element("h3", &[], "What was done meanwhile");
            table(section, "", &["#At", "Command", "How it ended"], |rows| {
                for mark in marks {
                    rows.element("tr", &[], |row| {
                        number(row, at(mark.at_ms));
                        row.element("td", &[], |cell| cell.text_element("code", &[], &mark.command));
                        row.text_element("td", &[], words::mark(mark));
                    });
                }
            });
        }
    });
}

/// Why requests failed, and what the statuses were.
pub(super) fn failures(main: &mut Markup, summary: &Summary) {
    let errors: Vec<_> = summary.errors.iter().filter(|(_, count)| **count > 0).collect();
    let answers: u64 = summary.statuses.values().sum();
    if errors.is_empty() && answers == 0 {
        return;
    }
    section(main, "Answers and errors", |section| {
        section.element("div", &[("class", &"pair")], |pair| {
            if answers > 0 {
                table(pair, "statuses", &["Status", "#Answers", "#Part"], |rows| {
                    for (status, number_of) in &summary.statuses {
                        let class = if (200..300).contains(status) { "" } else { "bad" };
                        rows.element("tr", &[], |row| {
                            row.text_element("th", &[("scope", &"row"), ("class", &class)], status);
                            number(row, count(*number_of));
                            number(row, percent(*number_of as f64 / answers as f64));
                        });
                    }
                });
            }
            if !errors.is_empty() {
                table(pair, "errors", &["Failed by", "#Requests", "#Part"], |rows| {
                    for (kind, number_of) in errors {
                        rows.element("tr", &[], |row| {
                            row.text_element(
                                "th",
                                &[("scope", &"row"), ("class", &"bad")],
                                ErrorKind::words(*kind),
                            );
                            number(row, count(*number_of));
                            number(row, percent(*number_of as f64 / summary.requests.total.max(1) as f64));
                        });
                    }
                });
            }
        });
    });
}

/// Name and value, one below the other.
fn facts(out: &mut Markup, facts: &[(&str, String)]) {
    out.element("dl", &[("class", &"facts")], |list| {
        for (name, value) in facts {
            list.element("div", &[], |fact| {
                fact.text_element("dt", &[], name);
                fact.text_element("dd", &[], value);
            });
        }
    });
}

/// Whether the figures can be trusted.
pub(super) fn generator(main: &mut Markup, summary: &Summary) {
    let generator = &summary.generator;
    let connections = &summary.connections;
    section(main, "The generator itself", |section| {
        let asked = connections.asked;
        let mut entries = vec![
            (
                "Connections",
                format!(
                    "{} asked for, {} opened in all, at most {} at once",
                    count(asked as u64),
                    count(connections.opened),
                    count(connections.peak)
                ),
            ),
            ("Threads", count(summary.threads as u64)),
        ];
        if !generator.cpu_share.is_empty() {
            let shares: Vec<_> =
                generator.cpu_share.iter().map(|share| format!("{:.0} %", share * 100.0)).collect();
            entries.push(("Processor time of each thread", shares.join(", ")));
            entries.push(("Processor time per request", figures::us(generator.cpu_us_per_request)));
        }
        if let Some(lag) = generator.lag_us {
            let [p50, p99, max] = [lag.p50, lag.p99, lag.max].map(figures::us);
            entries.push(("Sent later than planned", format!("p50 {p50}, p99 {p99}, max {max}")));
        }
        if summary.requests.resent > 0 {
            entries.push(("Sent again on a fresh connection", count(summary.requests.resent)));
        }
        if summary.longest_gap_ms > 0.0 {
            entries.push(("Longest time without a success", ms(summary.longest_gap_ms)));
        }
        facts(section, &entries);
    });
}

/// What the backends themselves counted.
pub(super) fn truth(main: &mut Markup, summary: &Summary) {
    let Some(truth) = &summary.truth else { return };
    section(main, "The backends’ own counts", |section| {
        section.text_element("p", &[("class", &"sub")], format_args!("{}.", words::truth(truth, summary)));
        table(section, "", &["Asked at", "Who answered", "#Counted"], |rows| {
            for source in &truth.sources {
                rows.element("tr", &[], |row| {
                    row.element("td", &[], |cell| cell.text_element("code", &[], &source.url));
                    match (&source.error, source.counted) {
                        (Some(error), _) => {
                            row.text_element("td", &[("class", &"bad")], error);
                            number(row, "");
                        }
                        (None, counted) => {
                            row.text_element("td", &[], source.server.as_deref().unwrap_or_default());
                            number(row, counted.map_or_else(String::new, count));
                        }
                    }
                });
            }
        });
    });
}

/// How to do it again.
pub(super) fn called(main: &mut Markup, summary: &Summary, called: &str) {
    section(main, "How it was called", |section| {
        section.element("pre", &[], |pre| pre.text_element("code", &[], called));
        if let Some(timeline) = &summary.timeline {
            let slot = format!("Slots of {} ms", timeline.slot_ms);
            section.text_element("p", &[("class", &"sub")], slot);
        }
    });
}
