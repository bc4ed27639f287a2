//! Addresses to values: networks of which the longest prefix decides, or ranges. A look-up is a binary search, however
//! many there are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// A network, its address without the bits that do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// Of IPv4: the address and the length of the prefix.
    V4(u32, u8),
    /// Of IPv6, likewise.
    V6(u128, u8),
}

impl Network {
    /// Reads an address or `address/length`. The flag says that bits which do not count were set.
    pub fn parse(text: &str) -> Option<(Self, bool)> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => {
                let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(length.parse::<u8>().ok().filter(|_| digits)?))
            }
            None => (text, None),
        };
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let length = length.unwrap_or(32);
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(length.into())?).unwrap_or(0);
                let bits = u32::from(address);
                Some((Self::V4(bits & mask, length), bits & !mask != 0))
            }
            IpAddr::V6(address) => {
                let length = length.unwrap_or(128);
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(length.into())?).unwrap_or(0);
                let bits = u128::from(address);
                Some((Self::V6(bits & mask, length), bits & !mask != 0))
            }
        }
    }
}

impl Network {
    /// Whether an address is of it; IPv4 written as IPv6 is IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4(first, length), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                u32::from(address) & mask == first
            }
            (Self::V6(first, length), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                Ipv6Addr::to_bits(address) & mask == first
            }
            (Self::V4(..), IpAddr::V6(_)) | (Self::V6(..), IpAddr::V4(_)) => false,
        }
    }
}

/// The values of networks.
#[derive(Debug, Clone)]
pub struct Networks<T> {
    v4: Segments<u32, T>,
    v6: Segments<u128, T>,
}

impl<T: Clone + PartialEq> Networks<T> {
    /// The longest prefix decides; `outside` is for what is in no network.
    pub fn new(networks: impl IntoIterator<Item = (Network, T)>, outside: &T) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (network, value) in networks {
            match network {
                Network::V4(first, length) => {
                    let rest = u32::MAX.checked_shr(length.into()).unwrap_or(0);
                    v4.push((first, first | rest, value));
                }
                Network::V6(first, length) => {
                    let rest = u128::MAX.checked_shr(length.into()).unwrap_or(0);
                    v6.push((first, first | rest, value));
                }
            }
        }
        let next_v4 = |last: u32| last.checked_add(1);
        let next_v6 = |last: u128| last.checked_add(1);
        Self { v4: Segments::new(v4, 0, outside, next_v4), v6: Segments::new(v6, 0, outside, next_v6) }
    }

    /// Ranges of IPv4 that do not overlap; `outside` is for what is in none, and for IPv6.
    pub fn of_ranges(ranges: impl IntoIterator<Item = (u32, u32, T)>, outside: &T) -> Self {
        let v4 = Segments::new(ranges.into_iter().collect(), 0, outside, |last| last.checked_add(1));
        Self { v4, v6: Segments::new(Vec::new(), 0, outside, |last| last.checked_add(1)) }
    }
}

impl<T> Networks<T> {
    /// The value for an address; IPv4 written as IPv6 is IPv4.
    pub fn find(&self, address: IpAddr) -> Option<&T> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(address.into()),
            IpAddr::V6(address) => self.v6.find(Ipv6Addr::to_bits(address)),
        }
    }
}

/// All addresses in order, cut where the value changes.
#[derive(Debug, Clone)]
struct Segments<K, T> {
    /// Where each begins, the first at zero.
    starts: Vec<K>,
    values: Vec<T>,
}

impl<K: Ord + Copy, T: Clone + PartialEq> Segments<K, T> {
    /// `intervals` are inside one another or apart. `next` is the address after one, if there is any.
    fn new(mut intervals: Vec<(K, K, T)>, zero: K, outside: &T, next: impl Fn(K) -> Option<K>) -> Self {
        intervals.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
        let mut segments = Self { starts: Vec::new(), values: Vec::new() };
        segments.begin(zero, outside);
        // What is open around the present address, the innermost last.
        let mut open: Vec<(K, T)> = Vec::new();
        for (first, last, value) in intervals {
            segments.close_before(Some(first), &mut open, outside, &next);
            segments.begin(first, &value);
            open.push((last, value));
        }
        segments.close_before(None, &mut open, outside, &next);
        segments
    }

    /// Ends what is open and ends before `address`; everything for `None`.
    fn close_before(
        &mut self,
        address: Option<K>,
        open: &mut Vec<(K, T)>,
        outside: &T,
        next: &impl Fn(K) -> Option<K>,
    ) {
        while let Some((last, _)) = open.last()
            && address.is_none_or(|address| *last < address)
        {
            let after = next(*last);
            open.pop();
            if let Some(after) = after {
                let value = open.last().map_or(outside, |(_, value)| value).clone();
                self.begin(after, &value);
            }
        }
    }

    fn begin(&mut self, start: K, value: &T) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(value) {
            self.starts.push(start);
            self.values.push(value.clone());
        }
    }
}

impl<K: Ord, T> Segments<K, T> {
    fn find(&self, address: K) -> Option<&T> {
        let after = self.starts.partition_point(|start| *start <= address);
        self.values.get(after.checked_sub(1)?)
    }
}

/// Ranges of IPv4 as nginx collects them: a range may lie inside an earlier one, which is cut, and may not cross one. nginx
/// looks at each block of 65,536 addresses by itself, and so does this.
#[derive(Debug)]
pub struct Ranges<T>(BTreeMap<u32, (u32, T)>);

/// What comes of adding a range.
#[derive(Debug, PartialEq, Eq)]
pub enum Added<T> {
    /// It is there.
    New,
    /// It took the place of the same range with this value.
    Replaced(T),
    /// It crosses the range from the first to the second address, and is not there.
    Overlaps(u32, u32),
}

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone> Ranges<T> {
    /// Adds a range.
    pub fn add(&mut self, first: u32, last: u32, value: &T) -> Added<T> {
        let mut added = Added::New;
        for (first, last) in blocks(first, last) {
            let touched = self.0.range(..=last).next_back().filter(|(_, (end, _))| *end >= first);
            if let Some((&start, (end, old))) = touched {
                let (end, old) = (*end, old.clone());
                if start > first || end < last {
                    return Added::Overlaps(start, end);
                }
                if (start, end) == (first, last) {
                    added = Added::Replaced(old);
                } else {
                    self.0.remove(&start);
                    if start < first {
                        self.0.insert(start, (first - 1, old.clone()));
                    }
                    if end > last {
                        self.0.insert(last + 1, (end, old));
                    }
                }
            }
            self.0.insert(first, (last, value.clone()));
        }
        added
    }

    /// Takes a range out; false when it was not there as it is given.
    pub fn remove(&mut self, first: u32, last: u32) -> bool {
        let mut all = true;
        for (first, last) in blocks(first, last) {
            let is_there = self.0.get(&first).is_some_and(|(end, _)| *end == last);
            if is_there {
                self.0.remove(&first);
            }
            all &= is_there;
        }
        all
    }

    /// The ranges, in order.
    pub fn into_ranges(self) -> impl Iterator<Item = (u32, u32, T)> {
        self.0.into_iter().map(|(first, (last, value))| (first, last, value))
    }
}

fn blocks(first: u32, last: u32) -> impl Iterator<Item = (u32, u32)> {
    (first >> 16..=last >> 16).map(move |block| (first.max(block << 16), last.min(block << 16 | 0xffff)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn found(networks: &[&str], address: &str) -> String {
        let parsed = networks.iter().map(|text| (Network::parse(text).unwrap().0, (*text).to_owned()));
        let table = Networks::new(parsed, &"none".to_owned());
        table.find(address.parse().unwrap()).unwrap().clone()
    }

    #[test]
    fn the_longest_prefix_decides() {
        let networks = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.0/24",
            "10.1.2.3",
            "10.255.255.255",
            "255.255.255.255",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::1",
            "10.2.0.0/15",
        ];
        for (address, expected) in [
            ("10.0.0.0", "10.0.0.0/8"),
            ("10.1.9.9", "10.1.0.0/16"),
            ("10.1.2.2", "10.1.2.0/24"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.4", "10.1.2.0/24"),
            ("10.1.3.0", "10.1.0.0/16"),
            ("10.2.0.0", "10.2.0.0/15"),
            ("10.3.255.255", "10.2.0.0/15"),
            ("10.4.0.0", "10.0.0.0/8"),
            ("10.255.255.255", "10.255.255.255"),
            ("11.0.0.0", "none"),
            ("9.255.255.255", "none"),
            ("255.255.255.255", "255.255.255.255"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("2001:db8:2::", "2001:db8::/32"),
            ("2001:db8:1:f::", "2001:db8:1::/48"),
            ("2001:db9::", "none"),
            ("::1", "::1"),
            ("::", "none"),
        ] {
            assert_eq!(found(&networks, address), expected, "{address}");
        }
        assert_eq!(found(&["0.0.0.0/0", "::/0"], "255.255.255.255"), "0.0.0.0/0");
        assert_eq!(found(&["0.0.0.0/0", "::/0"], "ffff::"), "::/0");
    }

    #[test]
    fn the_search_agrees_with_trying_every_network() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut networks: BTreeMap<Network, usize> = BTreeMap::new();
        for index in 0..500 {
            let length = random.u8(..=32);
            let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
            networks.insert(Network::V4(random.u32(..) & 0x0f0f_00ff & mask, length), index);
        }
        let table = Networks::new(networks.clone(), &usize::MAX);
        for _ in 0..5_000 {
            let address = random.u32(..) & 0x0f0f_00ff;
            let holds = |network: &Network| match network {
                Network::V4(first, length) => {
                    first ^ address < 1_u32.checked_shl(u32::from(32 - length)).unwrap_or(u32::MAX)
                        || *length == 0
                }
                Network::V6(..) => false,
            };
            let longest =
                networks.iter().filter(|(network, _)| holds(network)).max_by_key(
                    |(network, _)| match network {
                        Network::V4(_, length) | Network::V6(_, length) => *length,
                    },
                );
            let expected = longest.map_or(usize::MAX, |(_, index)| *index);
            assert_eq!(table.find(IpAddr::V4(address.into())), Some(&expected), "{address:#x}");
        }
    }

    #[test]
    fn networks_are_read_as_nginx_reads_them() {
        for (text, expected) in [
            ("10.1.2.3/8", Some((Network::V4(10 << 24, 8), true))),
            ("10.0.0.0/8", Some((Network::V4(10 << 24, 8), false))),
            ("1.2.3.4", Some((Network::V4(0x0102_0304, 32), false))),
            ("0.0.0.0/0", Some((Network::V4(0, 0), false))),
            ("::1/64", Some((Network::V6(0, 64), true))),
            ("10.0.0.0/33", None),
            ("::/129", None),
            ("10.0.0/8", None),
            ("10.0.0.0/", None),
            ("10.0.0.0/+8", None),
            ("x", None),
        ] {
            assert_eq!(Network::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_range_may_lie_inside_another_and_not_across() {
        let mut ranges = Ranges::default();
        assert_eq!(ranges.add(10, 100, &'a'), Added::New);
        assert_eq!(ranges.add(20, 30, &'b'), Added::New);
        assert_eq!(ranges.add(10, 12, &'c'), Added::New);
        assert_eq!(ranges.add(90, 100, &'d'), Added::New);
        assert_eq!(ranges.add(20, 30, &'e'), Added::Replaced('b'));
        assert_eq!(ranges.add(25, 35, &'f'), Added::Overlaps(31, 89));
        assert_eq!(ranges.add(0, 200, &'f'), Added::Overlaps(90, 100));
        assert_eq!(ranges.add(0xffff, 0x1_0000, &'g'), Added::New);
        assert!(ranges.remove(20, 30) && !ranges.remove(20, 30) && !ranges.remove(13, 18));
        let left: Vec<_> = ranges.into_ranges().collect();
        assert_eq!(
            left,
            [
                (10, 12, 'c'),
                (13, 19, 'a'),
                (31, 89, 'a'),
                (90, 100, 'd'),
                (0xffff, 0xffff, 'g'),
                (0x1_0000, 0x1_0000, 'g')
            ]
        );
        let table = Networks::of_ranges(left, &'-');
        for (address, expected) in
            [("0.0.0.10", 'c'), ("0.0.0.19", 'a'), ("0.0.0.20", '-'), ("0.1.0.0", 'g'), ("::1", '-')]
        {
            assert_eq!(table.find(address.parse().unwrap()), Some(&expected), "{address}");
        }
    }
}
