//! Servers as adjoining ranges, each as long as the server's weight.

use super::server::Server;

/// Where the range of each server ends, in order.
#[derive(Debug, Clone)]
pub(super) struct WeightRanges {
    ends: Vec<u64>,
}

impl WeightRanges {
    /// The ranges of all these servers, whatever their state: that keeps the place of every other server when one of
    /// them fails or is marked `down`, as in nginx.
    pub(super) fn new(servers: &[Server]) -> Self {
        let mut end = 0;
        let ends = servers.iter().map(|server| {
            end += u64::from(server.config().weight);
            end
        });
        Self { ends: ends.collect() }
    }

    /// The sum of the weights; 0 without servers.
    pub(super) fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The index of the server whose range holds `place`, which is below the total.
    pub(super) fn at(&self, place: u64) -> usize {
        self.ends.partition_point(|end| *end <= place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::testing::servers;
    use super::*;

    #[test]
    fn each_server_has_as_many_places_as_its_weight() {
        let ranges = WeightRanges::new(&servers(&[5, 2, 1]));
        let places: Vec<usize> = (0..ranges.total()).map(|place| ranges.at(place)).collect();
        assert_eq!(places, [0, 0, 0, 0, 0, 1, 1, 2]);
        assert_eq!(WeightRanges::new(&[]).total(), 0);
    }
}
