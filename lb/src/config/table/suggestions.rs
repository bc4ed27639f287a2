//! Which known word was meant: for `did you mean "proxy_pass"?`.

/// The nearest of `known` to `word`, at most two slips away (one, in short words); none when nothing is near.
pub(in crate::config) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Three letters are two slips away from most others.
    let limit = if word.len() <= 4 { 1 } else { 2 };
    known
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(slips, _)| (1..=limit).contains(slips))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b` (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_within_two_slips() {
        let known = ["proxy_pass", "proxy_bind", "listen", "env", "user", "pid"];
        let nearest = |word| nearest(word, known.into_iter());
        assert_eq!(nearest("proxy_pas"), Some("proxy_pass"));
        assert_eq!(nearest("porxy_pass"), Some("proxy_pass"), "a swap is one slip");
        assert_eq!(nearest("lisen"), Some("listen"));
        assert_eq!(nearest("ent"), Some("env"));
        assert_eq!(nearest("xyz"), None);
        assert_eq!(nearest("listen"), None, "the word itself is no suggestion");
        assert_eq!(nearest("completely_else"), None);
        assert_eq!(nearest(""), None);
    }
}
