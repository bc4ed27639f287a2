//! The directives of a level and of the `if` blocks in it to one program.

use std::sync::Arc;

use super::locations::{Builder, Level};
use super::proxies::Place;
use crate::config::model::{Action, If, Location, LocationMatch, Operation, Program};
use crate::config::modules::proxy::ProxyPass;
use crate::config::modules::rewrite::{IfHead, Single, Singles};
use crate::config::table::{Block, IF_IN_LOCATION, IF_IN_SERVER};

/// What stands at one place of a level.
enum Part {
    Single(Single),
    If(IfHead, Block),
}

impl Builder<'_> {
    /// The program of a server.
    pub(super) fn program_of_server(&mut self, block: &mut Block, level: &Level) -> Program {
        let mut operations = Vec::new();
        for part in parts(block) {
            match part {
                Part::Single(single) => operations.push(operation(single)),
                Part::If(head, mut inside) => {
                    // What holds inside concerns the program alone.
                    let _ = self.level(&mut inside, level);
                    self.conditional(head, inside, None, &mut operations);
                }
            }
        }
        operations.into()
    }

    /// The program of a location that does `action`.
    pub(super) fn program_of_location(
        &mut self,
        block: &mut Block,
        level: &Level,
        pattern: &LocationMatch,
        action: &Action,
    ) -> Program {
        let mut operations = Vec::new();
        for part in parts(block) {
            match part {
                Part::Single(single) => operations.push(operation(single)),
                Part::If(head, mut inside) => {
                    let location = self.inside(&mut inside, level, pattern, action);
                    self.conditional(head, inside, Some(Arc::new(location)), &mut operations);
                }
            }
        }
        operations.into()
    }

    /// What holds from an `if` on, or inside `limit_except`: nginx's nameless location, which does what the one around it does
    /// unless it says otherwise.
    pub(super) fn inside(
        &mut self,
        block: &mut Block,
        above: &Level,
        pattern: &LocationMatch,
        action: &Action,
    ) -> Location {
        let level = self.level(block, above);
        let pass = block.take::<Option<ProxyPass>>().flatten();
        let action = match pass {
            Some(pass) => {
                let default_redirect = level.default_redirect.as_ref();
                let place = Place { pattern, inside_block: true, default_redirect };
                let proxy = self.proxies.proxy(&pass, place, &level.settings, None, self.report);
                Action::Proxy(Arc::new(proxy))
            }
            None => action.clone(),
        };
        self.location(pattern.clone(), action, &level, block.position.clone())
    }

    fn conditional(
        &mut self,
        head: IfHead,
        mut block: Block,
        location: Option<Arc<Location>>,
        operations: &mut Vec<Operation>,
    ) {
        let Singles(mut inside) = block.take().unwrap_or_default();
        debug_assert!(block.is_spent(), "{block:?}");
        inside.sort_by_key(|(order, _)| *order);
        // A condition that could not be read has been reported.
        let Some(condition) = head.condition else { return };
        operations.push(Operation::If(If { condition, location, length: inside.len() }));
        operations.extend(inside.into_iter().map(|(_, single)| operation(single)));
    }
}

/// What the program of a level is made of, in order.
fn parts(block: &mut Block) -> Vec<Part> {
    let Singles(singles) = block.take().unwrap_or_default();
    let mut parts: Vec<(usize, Part)> =
        singles.into_iter().map(|(order, single)| (order, Part::Single(single))).collect();
    for mut inside in block.take_children(IF_IN_SERVER.or(IF_IN_LOCATION)) {
        if let Some(head) = inside.take::<IfHead>() {
            parts.push((head.order, Part::If(head, inside)));
        }
    }
    parts.sort_by_key(|(order, _)| *order);
    parts.into_iter().map(|(_, part)| part).collect()
}

fn operation(single: Single) -> Operation {
    match single {
        Single::Set(assigned, value) => Operation::Set(assigned, value),
        Single::Return(answer) => Operation::Return(answer),
        Single::Rewrite(rewrite) => Operation::Rewrite(rewrite),
        Single::Break => Operation::Break,
    }
}
