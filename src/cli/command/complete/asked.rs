use clap::{Arg, Command};

/// What is being written, read off the words before it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The beginning of what is to be completed: of a flag with its value in one word, the value.
    pub(super) word: &'a str,
    pub(super) command: &'a Command,
    pub(super) wanted: Wanted<'a>,
    /// The value of `--kubeconfig`.
    pub(super) kubeconfig: Option<&'a str>,
}

#[derive(Debug)]
pub(super) enum Wanted<'a> {
    Flag,
    Value(&'a Arg),
    /// A command stands before all flags and other words.
    Word {
        may_be_command: bool,
    },
    /// A word of somebody else's command.
    Unknown,
}

/// The words before the one that is written, as far as they were read.
struct Before<'a> {
    command: &'a Command,
    /// The flag whose value comes next.
    open: Option<&'a Arg>,
    kubeconfig: Option<&'a str>,
    begun: bool,
    escaped: bool,
    foreign: bool,
}

impl<'a> Asked<'a> {
    /// `root` is built, so that its commands have all their flags.
    pub(super) fn of(root: &'a Command, words: &'a [String]) -> Self {
        let (word, read) = words.split_last().map_or(("", words), |(last, read)| (last.as_str(), read));
        let mut before = Before {
            command: root,
            open: None,
            kubeconfig: None,
            begun: false,
            escaped: false,
            foreign: false,
        };
        for word in read {
            before.read(word);
        }
        let Before { command, open, kubeconfig, begun, escaped, foreign } = before;
        let (word, wanted) = match (open, word.split_once('=')) {
            _ if foreign => (word, Wanted::Unknown),
            (Some(arg), _) if is_foreign(arg) => (word, Wanted::Unknown),
            (Some(arg), _) => (word, Wanted::Value(arg)),
            (None, _) if escaped => (word, Wanted::Word { may_be_command: false }),
            (None, Some((flag, value))) if flag.starts_with("--") => {
                (value, long(command, flag).map_or(Wanted::Unknown, Wanted::Value))
            }
            (None, _) if word.starts_with('-') => (word, Wanted::Flag),
            (None, _) => (word, Wanted::Word { may_be_command: !begun }),
        };
        Self { word, command, wanted, kubeconfig }
    }
}

impl<'a> Before<'a> {
    fn read(&mut self, word: &'a str) {
        if self.foreign || self.escaped {
            return;
        }
        if let Some(arg) = self.open.take() {
            self.value(arg, word);
        } else if word == "--" {
            (self.escaped, self.begun) = (true, true);
        } else if word.starts_with("--") {
            self.begun = true;
            let (flag, value) =
                word.split_once('=').map_or((word, None), |(flag, value)| (flag, Some(value)));
            match (long(self.command, flag), value) {
                (Some(arg), Some(value)) => self.value(arg, value),
                (Some(arg), None) if takes_value(arg) => self.open = Some(arg),
                _ => {}
            }
        } else if word.len() > 1 && word.starts_with('-') {
            self.begun = true;
            self.shorts(word.get(1..).unwrap_or_default());
        } else if !self.begun && word != "push" {
            self.begun = true;
            self.command = self.command.find_subcommand(word).unwrap_or(self.command);
        }
    }

    /// `-vo json`: of several letters only the last can have its value in the next word.
    fn shorts(&mut self, letters: &'a str) {
        for (at, letter) in letters.char_indices() {
            let mut args = self.command.get_arguments();
            let Some(arg) = args.find(|arg| arg.get_short() == Some(letter)) else { return };
            if takes_value(arg) {
                let rest = letters.get(at + letter.len_utf8()..).unwrap_or_default();
                if rest.is_empty() {
                    self.open = Some(arg);
                }
                return;
            }
        }
    }

    fn value(&mut self, arg: &Arg, value: &'a str) {
        self.foreign = is_foreign(arg);
        if arg.get_id() == "kubeconfig" {
            self.kubeconfig = Some(value);
        }
    }
}

fn long<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    let name = flag.strip_prefix("--")?;
    command.get_arguments().find(|arg| arg.get_long() == Some(name))
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// All that follows is a command of the user's.
fn is_foreign(arg: &Arg) -> bool {
    arg.get_id() == "on_push"
}
