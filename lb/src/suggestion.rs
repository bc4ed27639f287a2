//! Which known word was meant: for `did you mean "proxy_pass"?`.

/// The nearest of `known` to `word`, at most two slips away (one, in short words); none when nothing is near. A slip is an
/// insertion, a deletion, a replacement or a swap of neighbours.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // Three letters are two slips away from most others.
    let limit = if word.len() <= 4 { 1 } else { 2 };
    known
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(slips, _)| (1..=limit).contains(slips))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
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
