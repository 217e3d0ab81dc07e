//! `pams init`, `serve`, `login` and what goes with a remote instance.

use super::{flag, id, number, path, text};
use clap::{Arg, ArgAction, Command, value_parser};
use std::net::SocketAddr;

pub fn commands() -> Vec<Command> {
    vec![
        Command::new("init")
            .about("Make the store of a profile; with --server that of an organisation")
            .arg(flag("server", "It is a remote instance's: others sign in to it"))
            .arg(text("tenant", "NAME", "The organisation"))
            .arg(text("name", "NAME", "Your name, as its first admin"))
            .arg(text("email", "ADDRESS", "Your e-mail"))
            .arg(text("zone", "ZONE", "Time zone, such as Europe/Berlin"))
            .arg(text("currency", "CODE", "Currency, such as EUR")),
        Command::new("serve")
            .about("Serve the organisations of this home over HTTPS")
            .arg(
                Arg::new("listen")
                    .long("listen")
                    .value_name("ADDRESS:PORT")
                    .default_value("127.0.0.1:8443")
                    .value_parser(value_parser!(SocketAddr))
                    .env("PAMS_LISTEN")
                    .help("Where to listen; port 0 takes a free one"),
            )
            .arg(
                path("cert", "FILE.pem", "Certificate chain; made at the first start where not given")
                    .env("PAMS_CERT")
                    .requires("key"),
            )
            .arg(path("key", "FILE.pem", "Its private key").env("PAMS_KEY").requires("cert"))
            .arg(number("rate", "200", "Requests a second that one person may send").env("PAMS_RATE"))
            .arg(
                number("backup-hours", "24", "Make a checked backup so often; 0 for never")
                    .env("PAMS_BACKUP_HOURS"),
            ),
        Command::new("backup")
            .about("The store in files of their own, each opened and checked when it is made")
            .subcommand_required(true)
            .subcommand(Command::new("now").about("Make one and check it"))
            .subcommand(Command::new("list").about("List them, the newest first"))
            .subcommand(Command::new("verify").about("Read all of one again").arg(backup()))
            .subcommand(
                Command::new("restore").about("Put one in the store's place, which is kept").arg(backup()),
            )
            .subcommand(
                Command::new("prune")
                    .about("Keep the last of 7 days, 4 weeks and 12 months")
                    .arg(flag("dry-run", "Say which would go")),
            ),
        Command::new("login")
            .about("Sign in to a remote instance and sync with it")
            .arg(Arg::new("url").required(true).value_name("URL"))
            .arg(text("tenant", "NAME", "The organisation, where there are several"))
            .arg(text("user", "USER", "Name, user name or e-mail"))
            .arg(path("password-file", "FILE", "The password, in the first line of a file"))
            .arg(path("code-file", "FILE", "The one-time code, in the first line of a file"))
            .arg(text("pin", "FINGERPRINT", "The key that the server has to show"))
            .arg(path("add-ca", "FILE.pem", "Certificates to believe besides the system's")),
        Command::new("logout").about("End the session; what is here stays"),
        Command::new("whoami").about("Who I am here and at the remote instance"),
        Command::new("sync").about("Send what was saved here and fetch what others did").arg(flag(
            "reconcile",
            "Compare all records with the server's; where they differ, read them anew",
        )),
        Command::new("remote")
            .about("The remote instance of this profile")
            .subcommand_required(true)
            .subcommand(Command::new("status").about("Where, as whom, what waits, when it was last in sync"))
            .subcommand(
                Command::new("ops").about("How the server does: requests, latencies, faults, backups"),
            ),
        Command::new("api")
            .about("The HTTP interface of a server")
            .subcommand_required(true)
            .subcommand(Command::new("spec").about("Print its OpenAPI document")),
        Command::new("version")
            .about("Which program and schema this is")
            .arg(flag("server", "And which the server of this profile has")),
        Command::new("connect")
            .about("Systems whose tables are imported")
            .subcommand_required(true)
            .subcommand(
                Command::new("salesforce")
                    .about("Sign in to a Salesforce organisation with a connected app, and keep that here")
                    .arg(text("url", "URL", "https://example.my.salesforce.com").required(true))
                    .arg(text("client-id", "ID", "The connected app's consumer key").required(true))
                    .arg(
                        path(
                            "secret-file",
                            "FILE",
                            "Its consumer secret, in the first line of a file; - is standard input",
                        )
                        .required(true),
                    )
                    .arg(path("add-ca", "FILE.pem", "Certificates to believe besides the system's")),
            )
            .subcommand(Command::new("show").about("What is connected"))
            .subcommand(Command::new("forget").about("Forget the connection and its secret")),
        Command::new("trust")
            .about("The keys of servers that were confirmed")
            .arg(Arg::new("url").value_name("URL"))
            .arg(flag("replace", "Take the key that the server shows now")),
        Command::new("session")
            .about("Who is signed in to this organisation")
            .subcommand_required(true)
            .subcommand(Command::new("list").about("List the sessions that last"))
            .subcommand(
                Command::new("end")
                    .alias("revoke")
                    .about("End one at once")
                    .arg(id("The beginning of its id")),
            ),
    ]
}

fn backup() -> Arg {
    Arg::new("file").required(true).value_name("FILE").help("A path, or a name of `pams backup list`")
}

/// What `user add` takes besides the fields.
pub fn credential_options() -> Vec<Arg> {
    vec![
        path(
            "password-file",
            "FILE",
            "Their password, in the first line of a file; they can sign in with it",
        ),
        text("tenant", "NAME", "The organisation, where this home has several"),
    ]
}

/// What people sign in with.
pub fn credentials() -> [Command; 2] {
    let who = || id("Name, user name, e-mail, id or its end");
    [
        Command::new("password")
            .about("Set the password of one, and end their sessions")
            .arg(who())
            .args(credential_options()),
        Command::new("codes")
            .about("Turn one-time codes on, with a new secret and recovery codes, or off")
            .arg(who())
            .arg(Arg::new("off").long("off").action(ArgAction::SetTrue).help("Sign in without them"))
            .arg(text("tenant", "NAME", "The organisation, where this home has several")),
    ]
}
