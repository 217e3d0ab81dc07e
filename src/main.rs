//! The program: parse, call, print the failure, exit code.

fn main() {
    std::process::exit(pams::cli::main());
}
