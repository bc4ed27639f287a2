use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::*;
use crate::observe::histogram::DurationHistogram;

/// Name, labels and value of one line.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// A strict reader of the format: panics on anything that a scraper might refuse.
fn read(text: &str) -> BTreeMap<String, (String, Vec<Sample>)> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line must end too");
    let mut families: BTreeMap<String, (String, Vec<Sample>)> = BTreeMap::new();
    let mut current = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, _) = rest.split_once(' ').unwrap();
            assert!(!families.contains_key(name), "{name} comes in two parts");
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
            current = name.to_owned();
            families.insert(current.clone(), (kind.to_owned(), Vec::new()));
            continue;
        }
        let sample = read_sample(line);
        let (kind, samples) = families.get_mut(&current).unwrap_or_else(|| panic!("no family: {line}"));
        let own_name = match kind.as_str() {
            "histogram" => ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| sample.name.strip_suffix(suffix))
                .unwrap_or_else(|| panic!("not a part of a histogram: {line}")),
            _ => &sample.name,
        };
        assert_eq!(own_name, current, "{line}");
        samples.push(sample);
    }
    for (name, (kind, samples)) in &families {
        assert!(!samples.is_empty(), "{name} has no samples");
        let distinct: HashSet<_> = samples.iter().map(|s| format!("{}{:?}", s.name, s.labels)).collect();
        assert_eq!(distinct.len(), samples.len(), "{name} repeats a sample");
        if kind == "histogram" {
            check_histograms(samples);
        }
    }
    families
}

fn read_sample(line: &str) -> Sample {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':'), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
            let (value, after) = read_quoted(after);
            labels.push((label.to_owned(), value));
            match after.split_at(1) {
                (",", after) => rest = after,
                ("}", after) => {
                    rest = after;
                    break;
                }
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "{line}");
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => {
            assert!(number.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b)), "{line}");
            number.parse().unwrap()
        }
    };
    Sample { name: name.to_owned(), labels, value }
}

/// Up to the closing quotation mark, and what follows it.
fn read_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &text[index + 1..]),
            '\\' => value.push(match characters.next().unwrap().1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                other => panic!("unknown escape \\{other} in {text}"),
            }),
            other => value.push(other),
        }
    }
    panic!("no closing quotation mark in {text}");
}

fn check_histograms(samples: &[Sample]) {
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.name.ends_with("_bucket")) {
        let ((le, bound), others) = sample.labels.split_last().unwrap();
        assert_eq!(le, "le");
        let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
        buckets.entry(format!("{others:?}")).or_default().push((bound, sample.value));
    }
    for (labels, buckets) in &buckets {
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "not cumulative: {buckets:?}");
        let (bound, all) = *buckets.last().unwrap();
        assert_eq!(bound, f64::INFINITY);
        for (suffix, expected) in [("_count", Some(all)), ("_sum", None)] {
            let of_these = |s: &&Sample| s.name.ends_with(suffix) && format!("{:?}", s.labels) == *labels;
            let found: Vec<_> = samples.iter().filter(of_these).collect();
            assert_eq!(found.len(), 1, "{suffix} of {labels}");
            assert!(expected.is_none_or(|expected| expected == found[0].value), "{suffix} of {labels}");
        }
    }
}

#[test]
fn the_text_is_exactly_this() {
    let mut exposition = Exposition::new();
    exposition
        .counter("lb_requests_total", "Requests.")
        .sample(&[("server", "a"), ("code", "200")], 3)
        .sample(&[("server", "b"), ("code", "200")], 0);
    exposition.gauge("lb_up", "Up.").sample_f64(&[], 0.5);
    exposition.gauge("lb_none", "Nothing to say.");
    assert_eq!(
        exposition.finish(),
        "# HELP lb_requests_total Requests.\n# TYPE lb_requests_total counter\n\
         lb_requests_total{server=\"a\",code=\"200\"} 3\nlb_requests_total{server=\"b\",code=\"200\"} 0\n\
         # HELP lb_up Up.\n# TYPE lb_up gauge\nlb_up 0.5\n"
    );
}

#[test]
fn label_values_survive_the_way_there_and_back() {
    let values = ["", "plain", "a\"b", "back\\slash", "new\nline", "\\n", "\\\"", "é{},= ", "{le=\"1\"} 5"];
    let mut exposition = Exposition::new();
    let mut family = exposition.counter("lb_x_total", "With \\ and\nnewline, \"quoted\".");
    for value in values {
        family.sample(&[("value", value), ("other", "o")], 1);
    }
    let text = exposition.finish();
    assert!(text.starts_with("# HELP lb_x_total With \\\\ and\\nnewline, \"quoted\".\n"), "{text}");
    let (_, samples) = &read(&text)["lb_x_total"];
    let read_values: Vec<_> = samples.iter().map(|sample| sample.labels[0].1.as_str()).collect();
    assert_eq!(read_values, values);
}

#[test]
fn numbers_are_spelled_as_the_format_wants() {
    let mut exposition = Exposition::new();
    let mut family = exposition.gauge("lb_x", "X.");
    let values = [0.0, 1.5, -2.0, 1e21, 1e-9, f64::INFINITY, f64::NEG_INFINITY];
    for (index, value) in values.iter().enumerate() {
        family.sample_f64(&[("index", &index.to_string())], *value);
    }
    family.sample_f64(&[], f64::NAN).sample(&[("largest", "yes")], u64::MAX);
    let text = exposition.finish();
    let (_, samples) = &read(&text)["lb_x"];
    let read_values: Vec<_> = samples.iter().map(|sample| sample.value).collect();
    assert_eq!(read_values[..values.len()], values);
    assert!(read_values[values.len()].is_nan());
    assert!(text.ends_with(" 18446744073709551615\n"), "{text}");
}

#[test]
fn histograms_are_cumulative_and_in_seconds() {
    let histogram = DurationHistogram::default();
    for ms in [0, 1, 2, 60, 60, 20_000] {
        histogram.observe(Duration::from_millis(ms));
    }
    let mut exposition = Exposition::new();
    exposition
        .histogram("lb_duration_seconds", "Durations.")
        .sample(&[("server", "a")], &histogram.totals())
        .sample(&[("server", "b")], &DurationHistogram::default().totals());
    let text = exposition.finish();
    let (kind, samples) = &read(&text)["lb_duration_seconds"];
    assert_eq!(kind, "histogram");
    let bucket = |bound: &str| {
        let labels = [("server", "a"), ("le", bound)].map(|(n, v)| (n.to_owned(), v.to_owned()));
        samples.iter().find(|s| s.labels == labels).unwrap_or_else(|| panic!("{bound} in {text}")).value
    };
    for (bound, expected) in
        [("0.001", 2.0), ("0.0025", 3.0), ("0.05", 3.0), ("0.1", 5.0), ("10", 5.0), ("+Inf", 6.0)]
    {
        assert_eq!(bucket(bound), expected, "{bound}");
    }
    assert!(text.contains("lb_duration_seconds_sum{server=\"a\"} 20.123\n"), "{text}");
    assert!(text.contains("lb_duration_seconds_count{server=\"a\"} 6\n"), "{text}");
}

#[test]
fn the_process_metrics_pass_the_strict_reader() {
    let mut exposition = Exposition::new();
    crate::observe::process_metrics::write(&mut exposition);
    let families = read(&exposition.finish());
    assert_eq!(families["process_cpu_seconds_total"].0, "counter");
    assert_eq!(families["lb_build_info"].1[0].value, 1.0);
}

#[test]
#[should_panic(expected = "comes in two parts")]
fn the_strict_reader_sees_a_scattered_family() {
    read(
        "# HELP a A.\n# TYPE a gauge\na 1\n# HELP b B.\n# TYPE b gauge\nb 1\n# HELP a A.\n# TYPE a gauge\na{x=\"1\"} 1\n",
    );
}

#[test]
#[should_panic(expected = "not cumulative")]
fn the_strict_reader_sees_buckets_that_shrink() {
    read(
        "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
    );
}
