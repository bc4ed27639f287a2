//! The zones in which requests are counted.

use super::Position;
use crate::config::zones;

pub use crate::config::zones::{ZoneId, ZoneKind};

/// `limit_req_zone`, `limit_conn_zone`
pub type LimitZone = zones::LimitZone<Position>;
