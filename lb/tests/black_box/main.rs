//! The `lb` binary from outside: real configuration files, real sockets, scripted servers that count.

mod balancing;
mod command_line;
mod messages;
mod reload;
mod stop;
mod support;
mod survival;
