use std::process::ExitCode;

fn main() -> ExitCode {
    idpbuilder_push::cli::main()
}
