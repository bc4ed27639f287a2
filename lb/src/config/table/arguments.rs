//! What a directive takes: how many words, and for a single value its type, with how it is read and printed.

use std::fmt::Debug;
use std::time::Duration;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::values;
use crate::script::Template;

/// The arguments of a directive.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Arguments {
    pub(in crate::config) min: usize,
    pub(in crate::config) max: usize,
    /// As the reference writes them.
    pub(in crate::config) syntax: &'static str,
    /// Whether they are sound, for a directive without effect; `None` where any words will do.
    pub(super) check: Option<fn(&Directive, &mut Report) -> bool>,
}

pub(in crate::config) const fn words(min: usize, max: usize, syntax: &'static str) -> Arguments {
    Arguments { min, max, syntax, check: None }
}

pub(in crate::config) const fn one(syntax: &'static str) -> Arguments {
    words(1, 1, syntax)
}

pub(in crate::config) const fn at_least(min: usize, syntax: &'static str) -> Arguments {
    words(min, usize::MAX, syntax)
}

/// One argument whose type says what it must be.
const fn single<A: Argument>(syntax: &'static str) -> Arguments {
    Arguments { check: Some(is_read::<A>), ..one(syntax) }
}

fn is_read<A: Argument>(directive: &Directive, report: &mut Report) -> bool {
    let mut read = None;
    A::read(&mut read, directive, report);
    read.is_some()
}

pub(in crate::config) const FLAG: Arguments = Flag::ARGUMENTS;
pub(in crate::config) const NUMBER: Arguments = Number::ARGUMENTS;
pub(in crate::config) const SIZE: Arguments = single::<Size>("size");
pub(in crate::config) const OFFSET: Arguments = Offset::ARGUMENTS;
pub(in crate::config) const TIME: Arguments = Time::ARGUMENTS;
pub(in crate::config) const SECONDS: Arguments = single::<Seconds>("time");

/// The type of a setting as it is written: how to read it, and how to print it so that reading gives it back.
pub(in crate::config) trait Argument {
    /// What it is read to.
    type Value: Debug;

    /// What the directive takes.
    const ARGUMENTS: Arguments;

    /// Whether a block may say it again, which adds to what it has said.
    const REPEATABLE: bool = false;

    /// Whether it stands in braces.
    const BLOCK: bool = false;

    /// Reads the directive into what its block has said so far, or reports what is wrong with it.
    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report);

    /// The arguments that give this value; empty when it takes no directive to have it.
    fn print(value: &Self::Value) -> String;
}

/// `on` or `off`.
pub(in crate::config) struct Flag;

impl Argument for Flag {
    type Value = bool;

    const ARGUMENTS: Arguments = single::<Self>("on | off");

    fn read(into: &mut Option<bool>, directive: &Directive, report: &mut Report) {
        *into = report.flag(directive, 0);
    }

    fn print(value: &bool) -> String {
        if *value { "on" } else { "off" }.to_owned()
    }
}

/// A number without sign.
pub(in crate::config) struct Number;

impl Argument for Number {
    type Value = u64;

    const ARGUMENTS: Arguments = single::<Self>("number");

    fn read(into: &mut Option<u64>, directive: &Directive, report: &mut Report) {
        *into = report.number(directive, 0);
    }

    fn print(value: &u64) -> String {
        value.to_string()
    }
}

/// Bytes, with `k` or `m`.
pub(in crate::config) struct Size;

impl Argument for Size {
    type Value = u64;

    const ARGUMENTS: Arguments = SIZE;

    fn read(into: &mut Option<u64>, directive: &Directive, report: &mut Report) {
        *into = report.size(directive, 0);
    }

    fn print(value: &u64) -> String {
        values::written_bytes(*value)
    }
}

/// Bytes, with `k`, `m` or `g`.
pub(in crate::config) struct Offset;

impl Argument for Offset {
    type Value = u64;

    const ARGUMENTS: Arguments = single::<Self>("size");

    fn read(into: &mut Option<u64>, directive: &Directive, report: &mut Report) {
        *into = report.offset(directive, 0);
    }

    fn print(value: &u64) -> String {
        values::written_bytes(*value)
    }
}

/// A time that may go down to milliseconds.
pub(in crate::config) struct Time;

impl Argument for Time {
    type Value = Duration;

    const ARGUMENTS: Arguments = single::<Self>("time");

    fn read(into: &mut Option<Duration>, directive: &Directive, report: &mut Report) {
        *into = report.milliseconds(directive, 0);
    }

    fn print(value: &Duration) -> String {
        values::written_time(*value)
    }
}

/// A time in whole seconds.
pub(in crate::config) struct Seconds;

impl Argument for Seconds {
    type Value = Duration;

    const ARGUMENTS: Arguments = SECONDS;

    fn read(into: &mut Option<Duration>, directive: &Directive, report: &mut Report) {
        *into = report.seconds(directive, 0);
    }

    fn print(value: &Duration) -> String {
        values::written_time(*value)
    }
}

/// A value that nothing stands for when the directive is absent.
pub(in crate::config) struct Maybe<A>(std::marker::PhantomData<A>);

impl<A: Argument> Argument for Maybe<A> {
    type Value = Option<A::Value>;

    const ARGUMENTS: Arguments = A::ARGUMENTS;
    const REPEATABLE: bool = A::REPEATABLE;
    const BLOCK: bool = A::BLOCK;

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        let mut inner = into.take().flatten();
        A::read(&mut inner, directive, report);
        *into = inner.map(Some);
    }

    fn print(value: &Self::Value) -> String {
        value.as_ref().map(A::print).unwrap_or_default()
    }
}

/// A string with variables.
pub(in crate::config) struct Text;

impl Argument for Text {
    type Value = Template;

    const ARGUMENTS: Arguments = one("string");

    fn read(into: &mut Option<Template>, directive: &Directive, report: &mut Report) {
        *into = report.template(directive, 0);
    }

    /// No default has one.
    fn print(_: &Template) -> String {
        String::new()
    }
}
