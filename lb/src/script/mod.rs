//! nginx's small language, as far as it has no effect: variables and the strings that hold them.
//!
//! Names are looked up while the configuration is read ([`Names`]); a request meets [`Variable`]s and slots. The room is
//! pure: it knows no request, no runtime and no clock. Whoever evaluates brings a [`Values`].

mod computed;
mod defined;
mod escape;
mod geo;
mod map;
mod names;
mod networks;
mod pattern;
mod regex;
mod slots;
mod split_clients;
mod template;
mod tlv;
mod variable;
mod wildcards;

pub use computed::{Claim, Computed};
pub use defined::{Defined, Definition};
pub use escape::Escape;
pub use geo::{Geo, address};
pub use map::{Chosen, Map, ValueId};
pub use names::{BuiltIn, ByName, Names, Reads, Use};
pub use networks::{Added, Network, Networks, Ranges};
pub use pattern::{Matched, Pattern};
pub use regex::{Captures, Case, LimitReached, Regex, RegexError};
pub use slots::{SlotId, Slots};
pub use split_clients::{MoreThanAll, Share, SplitClients};
pub use template::{Template, TemplateError, Values};
pub use tlv::{SSL, Tlv};
pub use variable::{Named, TlsVariable, Variable, variable_names};
pub use wildcards::Wildcards;
