//! One run as one page of HTML: what a customer wants to know, in the order in which they want to know it.
//!
//! The page needs nothing but itself: no font, image, style or script from elsewhere, and its own security policy says
//! so to the browser. It reads well without its script, which only shows the values under the pointer. It is light or
//! dark as the reader's system is, fits a phone, and prints.

mod called;
mod chart;
mod colours;
mod columns;
mod flags;
mod histogram;
mod over_time;
mod tables;

pub use called::called;

use std::io::{self, Write};

use crate::report::figures::{self, count, ms, percent, rate, seconds};
use crate::report::svg::markup::Markup;
use crate::report::words::{self, Tone};
use crate::summary::{Load, Summary};
use chart::{NARROW, Room, WIDE};
use colours::Colours;
use columns::{Column, columns};
use over_time::OverTime;

/// What a report says besides what was measured.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The command line, fit to be passed on; see [`called`].
    pub called: &'a str,
    /// When the report was written, as people write it.
    pub written: &'a str,
}

/// Nothing is loaded, whatever ends up in the page; the two inline ones are ours.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// Writes the page.
///
/// # Errors
/// What the output says.
pub fn write(out: &mut impl Write, summary: &Summary, context: Context) -> io::Result<()> {
    out.write_all(document(summary, context).as_bytes())
}

/// The page.
pub fn document(summary: &Summary, context: Context) -> String {
    let mut page = Markup::default();
    page.constant("<!DOCTYPE html>\n");
    page.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], |head| {
            head.empty("meta", &[("charset", &"utf-8")]);
            head.empty("meta", &[("name", &"viewport"), ("content", &"width=device-width, initial-scale=1")]);
            head.empty("meta", &[("name", &"color-scheme"), ("content", &"light dark")]);
            head.empty("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]);
            // Else a browser asks the place that the page came from for one.
            head.empty("link", &[("rel", &"icon"), ("href", &"data:,")]);
            head.text_element("title", &[], format_args!("loadgen: {}", summary.url));
            head.element("style", &[], |style| style.constant(include_str!("style.css")));
        });
        html.element("body", &[], |body| {
            body.constant(PATTERNS);
            body.element("main", &[], |main| sections(main, summary, context));
        });
    });
    page.constant("\n");
    page.finish()
}

/// Hatchings, used by all charts: one for what was not sent, one for the second turn of the palette.
const PATTERNS: &str = concat!(
    r#"<svg class="patterns" width="0" height="0" aria-hidden="true"><defs>"#,
    r#"<pattern id="unsent" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">"#,
    r#"<rect class="unsent-ground" width="6" height="6"/><rect class="unsent-line" width="2" height="6"/></pattern>"#,
    r#"<pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">"#,
    r#"<rect class="hatch-line" width="1.6" height="5"/></pattern></defs></svg>"#
);

fn sections(main: &mut Markup, summary: &Summary, context: Context) {
    header(main, summary, context);
    figures_at_a_glance(main, summary);
    tables::objectives(main, &summary.objectives);

    let colours = Colours::new(&summary.backends);
    let columns = summary.timeline.as_ref().map_or_else(Vec::new, |t| columns(t, t.end_ms));
    let names = summary.timeline.as_ref().map_or(&[][..], |timeline| timeline.backends.as_slice());
    let end_ms = columns.last().map_or(0.0, |column| column.end_ms);
    let over_time = OverTime { summary, columns: &columns, names, end_ms };
    let has_course = !columns.is_empty();
    if has_course {
        throughput(main, &over_time);
        latency_over_time(main, &over_time);
    }
    histogram_and_percentiles(main, summary);
    backends(main, &over_time, &colours);
    tables::failovers(main, summary);
    tables::failures(main, summary);
    tables::generator(main, summary);
    tables::truth(main, summary);
    tables::called(main, summary, context.called);
    main.text_element("footer", &[], format_args!("loadgen {}", env!("CARGO_PKG_VERSION")));
    if has_course {
        main.json("columns", &columns_for_script(&over_time));
        main.element("script", &[], |script| script.constant(include_str!("pointer.js")));
    }
}

/// A part of the page with its heading.
fn section(main: &mut Markup, title: &str, inside: impl FnOnce(&mut Markup)) {
    main.element("section", &[], |section| {
        section.text_element("h2", &[], title);
        inside(section);
    });
}

/// Both sizes of a chart.
fn chart(out: &mut Markup, draw: impl Fn(&mut Markup, &Room)) {
    out.element("figure", &[], |figure| {
        draw(figure, &WIDE);
        draw(figure, &NARROW);
    });
}

/// What the colours of a chart mean.
fn legend(out: &mut Markup, entries: &[(&str, &str)]) {
    out.element("ul", &[("class", &"legend")], |list| {
        for (class, text) in entries {
            list.element("li", &[], |entry| {
                swatch(entry, class, false);
                entry.text(*text);
            });
        }
    });
}

/// A spot of a colour.
fn swatch(out: &mut Markup, class: &str, is_hatched: bool) {
    out.element(
        "svg",
        &[("class", &"swatch"), ("viewBox", &"0 0 12 12"), ("aria-hidden", &"true")],
        |spot| {
            for class in [Some(class), is_hatched.then_some("hatched")].into_iter().flatten() {
                let class = format!("area {class}");
                spot.empty("rect", &[("class", &class), ("width", &"12"), ("height", &"12"), ("rx", &"2.5")]);
            }
        },
    );
}

fn header(main: &mut Markup, summary: &Summary, context: Context) {
    let (tone, outcome) = words::outcome(summary);
    let objectives = words::objectives(&summary.objectives);
    main.element("header", &[], |header| {
        header.text_element("p", &[("class", &"eyebrow")], format_args!("Load test, {}", context.written));
        header.element("h1", &[], |title| {
            title.text_element("span", &[("class", &"method")], &summary.method);
            title.text(" ");
            title.text(&summary.url);
        });
        header.text_element(
            "p",
            &[("class", &"paced")],
            format_args!("{}, {}", words::load(summary), seconds(summary.elapsed_s)),
        );
    });
    if !summary.generator.saturated.is_empty() {
        main.element("div", &[("class", &"banner"), ("role", &"alert")], |banner| {
            banner.text_element(
                "strong",
                &[],
                "The generator was the bottleneck: these figures are its own, not the target’s.",
            );
            banner.element("ul", &[], |list| {
                for reason in &summary.generator.saturated {
                    list.text_element("li", &[], reason);
                }
            });
        });
    }
    // Whoever stated objectives asked for them to decide.
    let decides = objectives.as_ref().map_or(tone, |(tone, _)| *tone);
    let class = match decides {
        Tone::Good => "verdict good",
        Tone::Bad => "verdict bad",
        Tone::Doubtful => "verdict doubtful",
    };
    main.element("p", &[("class", &class)], |verdict| {
        let sign = match decides {
            Tone::Good => "✓",
            Tone::Bad => "✗",
            Tone::Doubtful => "!",
        };
        verdict.text_element("span", &[("class", &"sign"), ("aria-hidden", &"true")], sign);
        verdict.element("span", &[], |said| {
            if let Some((_, objectives)) = &objectives {
                said.text_element("strong", &[], format_args!("{objectives}."));
                said.text(format_args!(" {outcome}."));
            } else {
                said.text_element("strong", &[], format_args!("{outcome}."));
            }
            if summary.interrupted {
                said.text(format_args!(
                    " The run was interrupted; {} in flight then.",
                    figures::counted(summary.requests.unfinished, "request was", "requests were")
                ));
            }
        });
    });
}

fn figures_at_a_glance(main: &mut Markup, summary: &Summary) {
    let requests = &summary.requests;
    let mut entries = vec![
        ("Requests", count(requests.total), format!("in {}", seconds(summary.elapsed_s))),
        ("Rate", rate(summary.requests_per_second), "per second".to_owned()),
    ];
    if let Some(latency) = &summary.latency_ms {
        entries.push(("p50", ms(latency.p50), "median latency".to_owned()));
        entries.push(("p99", ms(latency.p99), format!("max {}", ms(latency.max))));
    }
    let part = if requests.total == 0 { 0.0 } else { requests.failed as f64 / requests.total as f64 };
    entries.push(("Failed", count(requests.failed), percent(part)));
    let unsent = summary.requests.unsent;
    if unsent > 0 {
        entries.push(("Unsent", count(unsent), "no connection free".to_owned()));
    }
    if let Some(gap_ms) = summary.failovers.iter().map(|failover| failover.gap_ms).reduce(f64::max) {
        let text = match summary.failovers.as_slice() {
            [one] => figures::shortened(&one.backend, 16),
            many => format!("longest of {}", many.len()),
        };
        entries.push(("Failover gap", ms(gap_ms), text));
    }
    main.element("dl", &[("class", &"glance")], |list| {
        for (name, value, note) in entries {
            list.element("div", &[], |entry| {
                entry.text_element("dt", &[], name);
                entry.text_element("dd", &[("class", &"value")], value);
                entry.text_element("dd", &[("class", &"note")], note);
            });
        }
    });
}

fn throughput(main: &mut Markup, over_time: &OverTime) {
    section(main, "Throughput", |section| {
        let by = match over_time.summary.load {
            Load::Closed => "Requests per second, by when they were sent",
            Load::Open { .. } => "Requests per second, by when they were due",
        };
        section.text_element("p", &[("class", &"sub")], by);
        chart(section, |out, room| over_time.throughput(out, room));
        let has = |count: fn(&Column) -> u64| over_time.columns.iter().any(|column| count(column) > 0);
        let mut entries = Vec::new();
        if has(|column| column.successful) {
            entries.push(("successful", "successful"));
        }
        if has(|column| column.failed) {
            entries.push(("failed", "failed"));
        }
        if has(|column| column.unsent) {
            entries.push(("unsent", "could not be sent"));
        }
        legend(section, &entries);
    });
}

fn latency_over_time(main: &mut Markup, over_time: &OverTime) {
    if over_time.columns.iter().all(|column| column.latency_ms.is_none()) {
        return;
    }
    section(main, "Latency over time", |section| {
        let slots = over_time.slots_per_point();
        let note = if slots > 1 {
            format!("Successful requests; each point is the highest of {slots} slots")
        } else {
            "Successful requests".to_owned()
        };
        section.text_element("p", &[("class", &"sub")], note);
        chart(section, |out, room| over_time.latency(out, room));
        let names: Vec<_> = over_time::PERCENTILES.iter().rev().map(|(name, _)| *name).collect();
        let classes: Vec<_> = names.iter().map(|name| format!("line-{name}")).collect();
        let entries: Vec<_> =
            classes.iter().zip(&names).map(|(class, name)| (class.as_str(), *name)).collect();
        legend(section, &entries);
    });
}

fn histogram_and_percentiles(main: &mut Markup, summary: &Summary) {
    let Some(latency) = &summary.latency_ms else { return };
    section(main, "Latency", |section| {
        let since = if summary.service_ms.is_some() {
            "Successful requests: response from when they were due, service from when they were sent"
        } else {
            "Successful requests, from the decision to send to the last byte of the answer"
        };
        section.text_element("p", &[("class", &"sub")], since);
        if !summary.latency_histogram.is_empty() {
            chart(section, |out, room| histogram::draw(out, room, &summary.latency_histogram, latency));
        }
        tables::percentiles(section, latency, summary.service_ms.as_ref());
    });
}

fn backends(main: &mut Markup, over_time: &OverTime, colours: &Colours) {
    let summary = over_time.summary;
    if summary.backends.is_empty() {
        return;
    }
    section(main, "Backends", |section| {
        if let Some(verdict) = &summary.shares {
            section.text_element("p", &[("class", &"sub")], format_args!("{}.", words::shares(verdict)));
        }
        if let Some(verdict) = &summary.shares_while_alive {
            section.text_element(
                "p",
                &[("class", &"sub")],
                format_args!("{}.", words::shares_while_alive(verdict)),
            );
        }
        tables::backends(section, summary, colours);
        if over_time.columns.iter().any(|column| column.backends.iter().any(|count| *count > 0)) {
            section.text_element("h3", &[], "Shares over time");
            chart(section, |out, room| over_time.shares(out, room, colours));
        }
    });
}

/// More backends than this are not listed under the pointer.
const NAMES_IN_TIP: usize = 8;

/// What the script shows under the pointer: times and rates of every column, percentiles, and answers of the backends.
fn columns_for_script(over_time: &OverTime) -> serde_json::Value {
    let group = columns::group_for(over_time.columns, 1200);
    let round = |value: f64| (value * 1e3).round() / 1e3;
    // More than these fit no tip.
    let names = if over_time.names.len() <= NAMES_IN_TIP { over_time.names } else { &[] };
    let rows: Vec<_> = columns::grouped(over_time.columns, group)
        .iter()
        .map(|column| {
            let latency = column.latency_ms.map(|l| [l.p50, l.p90, l.p99, l.max].map(round));
            serde_json::json!([
                round(column.start_ms),
                round(column.end_ms),
                [column.successful, column.failed, column.unsent],
                latency,
                &column.backends[..column.backends.len().min(names.len())],
            ])
        })
        .collect();
    serde_json::json!({ "names": names, "columns": rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use crate::report::svg::markup::tests::elements;

    const CONTEXT: Context = Context { called: "loadgen -n 1000", written: "1 May 2026, 12:00 UTC" };

    #[test]
    fn every_kind_of_run_makes_a_whole_page() {
        for (name, summary) in fixtures::all() {
            let page = document(&summary, CONTEXT);
            let seen = elements(&page).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(seen.iter().filter(|element| *element == "main").count(), 1, "{name}");
            assert!(!page.contains("NaN") && !page.contains(">inf"), "{name}");
            // For whoever wants to look at them, and for the check in a browser.
            if let Ok(folder) = std::env::var("LOADGEN_WRITE_REPORTS") {
                std::fs::write(format!("{folder}/{name}.html"), page).unwrap();
            }
        }
    }

    #[test]
    fn charts_are_there_when_there_is_something_to_show() {
        let charts = |summary: &Summary| {
            let page = document(summary, CONTEXT);
            [
                "class=\"chart wide over-time\"",
                "class=\"chart wide histogram\"",
                "class=\"flag mark\"",
                "class=\"gap\"",
            ]
            .map(|chart| page.matches(chart).count())
        };
        assert_eq!(charts(&fixtures::calm()), [3, 1, 0, 0]);
        assert_eq!(charts(&fixtures::killed_backend()), [3, 1, 12, 6]);
        assert_eq!(charts(&fixtures::only_errors()), [1, 0, 0, 0]);
        let mut bare = fixtures::calm();
        bare.timeline = None;
        bare.latency_histogram.clear();
        assert_eq!(charts(&bare), [0; 4]);
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "\"><img src=x onerror=alert(1)></script><script>alert(1)</script>'\u{202e}\x1b[2J";
        let mut summary = fixtures::killed_backend();
        summary.url = evil.to_owned();
        summary.method = evil.to_owned();
        summary.backends[0].name = evil.to_owned();
        summary.failovers[0].backend = evil.to_owned();
        summary.generator.saturated = vec![evil.to_owned()];
        summary.objectives[0].objective = evil.to_owned();
        let source = summary.truth.as_mut().and_then(|truth| truth.sources.first_mut()).unwrap();
        source.url = evil.to_owned();
        source.server = Some(evil.to_owned());
        source.error = Some(evil.to_owned());
        let timeline = summary.timeline.as_mut().unwrap();
        timeline.backends[0] = evil.to_owned();
        timeline.marks[0].command = evil.to_owned();

        let page = document(&summary, Context { called: evil, written: evil });
        let seen = elements(&page).unwrap();
        assert!(!seen.iter().any(|element| element == "img"));
        assert_eq!(seen.iter().filter(|element| *element == "script").count(), 2);
        assert!(!page.contains('\u{202e}') && !page.contains('\x1b'));
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = document(&fixtures::killed_backend(), CONTEXT);
        for outside in ["src=\"", "href=\"h", "@import", "url(h", "fetch(", "//cdn"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_saturated_generator_is_said_first() {
        let mut summary = fixtures::calm();
        summary.generator.saturated = vec!["requests were sent 3 ms late".to_owned()];
        let page = document(&summary, CONTEXT);
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text}"));
        assert!(at("The generator was the bottleneck") < at("class=\"verdict"));
        assert!(at("requests were sent 3 ms late") < at("class=\"verdict"));
    }
}
