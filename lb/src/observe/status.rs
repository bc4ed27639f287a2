//! Classes of status codes: the `code` label of requests and of servers' answers.

/// The class of an answer's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum StatusClass {
    /// 1xx
    Informational,
    /// 2xx
    Success,
    /// 3xx
    Redirection,
    /// 4xx
    ClientError,
    /// 5xx
    ServerError,
    /// No answer, or a status outside of all classes.
    Other,
}

impl StatusClass {
    /// The number of classes.
    pub const COUNT: usize = 6;

    /// All classes, in the order of their counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Informational,
        Self::Success,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
        Self::Other,
    ];

    /// The class of `status`.
    pub fn of(status: u16) -> Self {
        match status / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::Other,
        }
    }

    /// The same for a request that may have ended without an answer.
    pub fn of_answer(status: Option<u16>) -> Self {
        status.map_or(Self::Other, Self::of)
    }

    /// The label's value. `other` stands for [`Other`](Self::Other), which means no answer in counts of clients'
    /// requests and an unknown status in counts of servers' answers.
    pub fn label(self, other: &'static str) -> &'static str {
        match self {
            Self::Informational => "1xx",
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Other => other,
        }
    }
}

impl From<StatusClass> for usize {
    fn from(class: StatusClass) -> Self {
        class as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fall_into_their_classes() {
        for (status, class) in [
            (Some(100), "1xx"),
            (Some(204), "2xx"),
            (Some(399), "3xx"),
            (Some(400), "4xx"),
            (Some(599), "5xx"),
            (Some(600), "none"),
            (Some(99), "none"),
            (None, "none"),
        ] {
            assert_eq!(StatusClass::of_answer(status).label("none"), class, "{status:?}");
        }
    }

    #[test]
    fn classes_stand_at_their_own_index() {
        for (index, class) in StatusClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, index, "{class:?}");
        }
    }
}
