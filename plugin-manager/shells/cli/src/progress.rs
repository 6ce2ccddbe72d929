//! Signs of life on stderr while long work goes on: only on a terminal, never with `--json`, gone when it is done.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plugin_manager::{NoProgress, Phase, Progress};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two turns of a spinner.
const TICK: Duration = Duration::from_millis(100);

/// Whoever hears of long work of this command.
pub fn listener(output: Output) -> Arc<dyn Progress> {
    let moves = std::env::var_os("TERM").is_none_or(|t| t != "dumb");
    if output.json() || !moves || !io::stderr().is_terminal() {
        return Arc::new(NoProgress);
    }
    Arc::new(Bars { coloured: output.stderr_colours(), open: Mutex::default() })
}

/// A bar with bytes where they are known, a spinner with the time it took where not; one for each open phase, of
/// which the last is shown.
#[derive(Debug)]
struct Bars {
    coloured: bool,
    open: Mutex<Vec<(Phase, ProgressBar)>>,
}

impl Bars {
    fn style(&self, known: bool) -> ProgressStyle {
        let template = match (known, self.coloured) {
            (true, true) => "{spinner:.cyan} {msg} {wide_bar:.cyan/dim} {bytes}/{total_bytes}",
            (true, false) => "{spinner} {msg} {wide_bar} {bytes}/{total_bytes}",
            (false, true) => "{spinner:.cyan} {msg} ({elapsed})",
            (false, false) => "{spinner} {msg} ({elapsed})",
        };
        // The templates are constants and a test reads them; a spinner in another style would do.
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
    }
}

impl Progress for Bars {
    fn begin(&self, phase: Phase, subject: &str, total: Option<u64>) {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        bar.set_style(self.style(total.is_some()));
        bar.set_message(format!("{} {}", phase.name(), crate::failure::one_line(subject)));
        bar.enable_steady_tick(TICK);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push((phase, bar));
    }

    fn advance(&self, bytes: u64) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.last().into_iter().for_each(|(_, bar)| bar.inc(bytes));
    }

    fn end(&self, phase: Phase) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let last = open.iter().rposition(|(of, _)| *of == phase);
        last.into_iter().for_each(|at| open.remove(at).1.finish_and_clear());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_may_lie_inside_each_other_and_end_in_any_order() {
        let bars = Bars { coloured: false, open: Mutex::default() };
        bars.begin(Phase::Read, "a", Some(10));
        bars.advance(4);
        bars.begin(Phase::Compile, "a", None);
        bars.end(Phase::Read);
        bars.end(Phase::BringUp);
        assert_eq!(bars.open.lock().unwrap().len(), 1);
        bars.end(Phase::Compile);
        assert!(bars.open.lock().unwrap().is_empty());
    }
}
