"""What words mean: the verdict's, the field's, and the topics that messages point to."""

from __future__ import annotations

from dataclasses import dataclass

WORD, TERM, TOPIC = "a verdict", "a term", "a topic"
# Titles of pages.
STATISTICS, READ = "How a study is judged", "Read the curves"
COMFORT, RELIABILITY = "Comfort", "What a study survives"


@dataclass(frozen=True)
class Explained:
    """One entry: its name, what it is, what it means, the title of the documentation's page, and other names of it."""

    name: str
    kind: str
    text: str
    page: str
    also: tuple[str, ...] = ()


def _words() -> tuple[Explained, ...]:
    return (
        Explained(
            "mainly", WORD,
            "The treatment helps at this poor level, more than at the reference, and more than twice as much "
            "(mainly_times). All three are shown by exact sign tests over the paired seeds.", STATISTICS,
        ),
        Explained(
            "more", WORD,
            "The treatment helps at this poor level, and more than at the reference; that it is more than twice as "
            "much (mainly_times) is not shown.", STATISTICS,
        ),
        Explained(
            "less", WORD,
            "The treatment gains less at this poor level than at the reference. It may still help, or do nothing: the "
            "gain beside the word says.", STATISTICS,
        ),
        Explained(
            "harms", WORD,
            "The treatment raises the error at this poor level. Where it does so at the reference too, the table adds: "
            "as at the reference.", STATISTICS,
        ),
        Explained(
            "none", WORD,
            "The gain at this poor level is shown to be smaller than the margin (0.15 halvings, about a tenth of the "
            "error), whatever its sign. Where no run of either arm learns, the table says: neither arm learns.",
            STATISTICS,
        ),
        Explained(
            "alike", WORD,
            "The gain at this poor level is shown to differ by less than the margin from that at the reference.",
            STATISTICS,
        ),
        Explained(
            "unclear", WORD,
            "The seeds cannot tell: no other word is shown. More seeds may; `bnstudy plan` says what so many can show, "
            "and `bnstudy extend DIR --seeds N` adds some.", STATISTICS,
        ),
    )  # fmt: skip


def _terms() -> tuple[Explained, ...]:
    return (
        Explained("factor", TERM, "What a study varies: model, norm, init, optimizer, lr, batch_size, weight_decay, "
                  "activation.", READ),
        Explained("level", TERM, "One value of a factor, written as a name or name:value, such as scaled-normal:0.01. "
                  "`bnstudy list inits` shows those of the initialization.", READ),
        Explained("cell", TERM, "One combination of levels, without the seed.", READ),
        Explained("run", TERM, "One cell at one seed: one network trained once.", READ),
        Explained("replica", TERM, "A run as it trains beside others in one ensemble.", "How fast it is"),
        Explained("ensemble", TERM, "The runs that train together: planned once, stored, resumed and sent to a worker "
                  "as one.", "How fast it is"),
        Explained("seed", TERM, "The block of the design: from it come a run's weights and the order of its batches. "
                  "Both arms of a seed start from the same draws and see the same batches.", STATISTICS, ("block",)),
        Explained("pair", TERM, "The control's run and the treated run of one seed, compared with each other.",
                  STATISTICS, ("paired",)),
        Explained("treatment", TERM, "The factor whose effect is asked about: norm, unless the study says otherwise.",
                  "Your own treatment"),
        Explained("control", TERM, "The treatment's level that the others are compared with: none for norm.",
                  "Your own treatment"),
        Explained("arm", TERM, "A level of the treatment; nothing else is called so.", STATISTICS),
        Explained("condition", TERM, "The factor under whose poor levels the treatment may matter: init, unless the "
                  "study says otherwise.", STATISTICS),
        Explained("reference", TERM, "The level of the condition, declared well, that the poor ones are compared with. "
                  "The first one that is well, unless the study names it.", STATISTICS),
        Explained("role", TERM, "What a level of the condition is declared before anything runs: well or poor. A poor "
                  "level gets a verdict; the reference is one that is well.", STATISTICS, ("well", "poor")),
        Explained("setting", TERM, "A combination of all other factors than treatment and condition; each is judged by "
                  "itself.", STATISTICS),
        Explained("response", TERM, "One number a run, made of its curves, such as the final accuracy.", READ),
        Explained("score", TERM, "The number by which a run is judged: the mean over its epochs of log2 of the test "
                  "error. A run that diverges counts as guessing from there on.", STATISTICS),
        Explained("gain", TERM, "The control's score less the treated run's, of one seed: by how many halvings the "
                  "treatment lowers the test error, averaged over the training. 1 means half the error, 2 a quarter; "
                  "what is told is the median over seeds.", STATISTICS, ("halving", "halvings")),
        Explained("difference", TERM, "The gain at a poor level less that at the reference, seed by seed; in halvings "
                  "of the error.", STATISTICS),
        Explained("interval", TERM, "Where the median gain lies with 95 % confidence, from order statistics; five "
                  "pairs or fewer have none.", STATISTICS),
        Explained("mainly_times", TERM, "How many times the gain at the reference a gain has to exceed for the word "
                  "mainly: 2.", STATISTICS),
        Explained("margin", TERM, "The gain, in halvings of the error, below which it counts as none: 0.15, about a "
                  "tenth of the error.", STATISTICS),
        Explained("alpha", TERM, "The share of studies that may hold a false word of difference, and likewise of "
                  "sameness: 0.05.", STATISTICS),
        Explained("p", TERM, "The chance of data so far on one side if there were nothing; of an exact sign test, "
                  "adjusted by Holm's method for the number of poor levels.", STATISTICS, ("p-value", "holm")),
        Explained("verdict", TERM, "The word of a poor level: mainly, more, less, harms, none, alike or unclear. "
                  "`bnstudy explain mainly` explains one.", STATISTICS),
        Explained("failure", TERM, "A run that diverges, or never gets below half the error of guessing; told as "
                  "counts beside each verdict.", STATISTICS, ("failed",)),
        Explained("diverged", TERM, "A run whose loss was no longer a finite number. It is a result, and counts as "
                  "guessing from that epoch on.", READ),
        Explained("looks", TERM, "Numbers of seeds at which one looks at the results, declared before anything runs "
                  "(--looks 10,20): each look is judged at alpha over their number. Seeds that are added without make "
                  "the p-values void; to confirm what was found, run other seeds in a study of their own (--seeds "
                  "100,101,102,103,104,105,106,107 --out DIR).", STATISTICS, ("look",)),
        Explained("multiverse", TERM, "The verdict under every other reasonable choice of response, budget, reference "
                  "and rate: `bnstudy analyze DIR --multiverse`. A display, no test.", STATISTICS),
        Explained("power", TERM, "What so many seeds can show; `bnstudy plan` tells it before anything runs.",
                  STATISTICS),
        Explained("prediction", TERM, "What was expected, written into the study file before it ran; `bnstudy analyze` "
                  "says whether it held. Its expect holds condition and either verdict or sign (gain, loss or none), "
                  "and where wanted model, setting and treatment.", STATISTICS),
    )  # fmt: skip


def _topics() -> tuple[Explained, ...]:
    return (
        Explained("own-data", TOPIC, "Register arrays, an .npz file or folders of images under a name, in a module: "
                  "`register_arrays(\"mine\", images, labels, test_images, test_labels)` from bnstudy.plugins. Name "
                  "the module with --plugin MODULE.", "Your own data"),
        Explained("own-model", TOPIC, "Register a function (inputs, classes, blocks) that gives a network with "
                  "`@models.register(\"mine\", label=\"mine\")` from bnstudy.plugins, in a module that --plugin "
                  "names.", "Your own model"),
        Explained("own-initializer", TOPIC, "Register a function (layer, value) that fills layer.weight with "
                  "`@initializers.register(\"mine\", label=\"mine\")` from bnstudy.plugins, in a module that --plugin "
                  "names.", "Your own initializer", ("plugin",)),
        Explained("own-treatment", TOPIC, "A study file may ask about any factor: `treatment = \"optimizer\"` with its "
                  "`control`. `bnstudy new NAME --question optimizer` writes such a file; norms and optimizers of your "
                  "own are registered in a module.", "Your own treatment"),
        Explained("settings", TOPIC, "Where data lie, how many workers and which device: the option, else "
                  "BNSTUDY_DATA_DIR, BNSTUDY_JOBS or BNSTUDY_DEVICE, else data_dir, jobs and device in your file, "
                  "which BNSTUDY_CONFIG may name. `bnstudy doctor` says what holds, and why.", COMFORT),
        Explained("resume", TOPIC, "The same command goes on where a study was stopped. It is not resumed where "
                  "another device, kernel, processor or version would compute the rest, since last digits would "
                  "differ; --allow-mixed does so all the same.", RELIABILITY),
        Explained("cluster", TOPIC, "A study is split with --shard K/N and joined with `bnstudy merge`, or sent to a "
                  "Dask scheduler with --scheduler ADDRESS.", "Past one machine"),
        Explained("judge", TOPIC, "`bnstudy judge` takes a row a run and step, and options that say which columns are "
                  "treatment, condition, seed, step and value, and what the values are.", "Your own runs, judged"),
        Explained("study-file", TOPIC, "A study file is TOML: `bnstudy new NAME` writes one with comments, `bnstudy "
                  "plan NAME.toml` says what it would run.", "Your own treatment"),
        Explained("completions", TOPIC, "`bnstudy --install-completion` teaches your shell the commands, options, "
                  "levels, studies, data sets and figures.", COMFORT),
    )  # fmt: skip


GLOSSARY = {one.name: one for one in (*_words(), *_terms(), *_topics())}
NAMES = {name: one for one in GLOSSARY.values() for name in (one.name, *one.also)}
