//! The integration tests, one binary: the program as its users meet it.

mod books;
mod cli;
mod crash;
mod docs;
mod faults;
mod golden;
mod interface;
mod journey;
mod migration;
mod notes;
mod outlets;
mod places;
mod plans;
mod processes;
mod program;
mod pty;
mod remote;
mod salesforce;
mod screens;
mod served;
mod solver;
mod sync;
mod territories;
mod tidy;
mod wins;
mod workbooks;
