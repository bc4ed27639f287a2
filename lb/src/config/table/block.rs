//! A block while it is read: what its directives have given so far.
//!
//! All blocks of nginx have this one form. Each module keeps what its directives give in a type of its own, which
//! only that module and the builder of the model name: reading a new block or a new module changes nothing here.

use std::any::Any;

use super::context::Contexts;
use crate::config::diagnostics::Position;

/// What stands between a pair of braces, or in the main context.
#[derive(Debug)]
pub(in crate::config) struct Block {
    /// Which block it is: one context.
    pub(in crate::config) context: Contexts,
    /// Where its directive stands.
    pub(in crate::config) position: Position,
    /// The blocks inside, in order.
    pub(in crate::config) children: Vec<Block>,
    /// At most one value of a type.
    given: Vec<Box<dyn Any>>,
}

impl Block {
    pub(in crate::config) fn new(context: Contexts, position: Position) -> Self {
        Self { context, position, children: Vec::new(), given: Vec::new() }
    }

    /// The same, with a value given from the start: what the head of the block says.
    pub(in crate::config) fn with<T: 'static>(mut self, head: T) -> Self {
        self.given.push(Box::new(head));
        self
    }

    /// Changes what a module's directives have given, beginning with its default.
    pub(in crate::config) fn edit<T: Default + 'static>(&mut self, change: impl FnOnce(&mut T)) {
        if let Some(given) = self.given.iter_mut().find_map(|given| given.downcast_mut::<T>()) {
            change(given);
            return;
        }
        let mut given = T::default();
        change(&mut given);
        self.given.push(Box::new(given));
    }

    /// What has been given, if anything.
    pub(in crate::config) fn given<T: 'static>(&self) -> Option<&T> {
        self.given.iter().find_map(|given| given.downcast_ref::<T>())
    }

    /// Takes out what has been given, if anything.
    pub(in crate::config) fn take<T: 'static>(&mut self) -> Option<T> {
        let index = self.given.iter().position(|given| given.is::<T>())?;
        self.given.swap_remove(index).downcast::<T>().ok().map(|given| *given)
    }

    /// Takes out the blocks of these kinds, in order.
    pub(in crate::config) fn take_children(&mut self, contexts: Contexts) -> Vec<Block> {
        let (wanted, others) =
            std::mem::take(&mut self.children).into_iter().partition(|child| child.context.meets(contexts));
        self.children = others;
        wanted
    }

    /// Whether everything given has been taken out: what remains would have been accepted and then forgotten.
    pub(in crate::config) fn is_spent(&self) -> bool {
        self.given.is_empty() && self.children.is_empty()
    }
}
