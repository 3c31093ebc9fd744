"""More than thirty ways to break a nightly run that has passed validation."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.gate import challenger
from pipelines.prepare.interactions import Interactions
from pipelines.registry import versions
from pipelines.sweep import choice
from pipelines.train import als, ranker, repurchase
from serving.recommend import recommender, selection
from serving.recommend.lanes import LANES


def column(rows, name, values):
    return rows.set_column(rows.schema.get_field_index(name), name, pa.array(values, rows[name].type))


def grouped(rows):
    """Returns one row per customer, product and day, as the table requires."""
    keys = [c.CUSTOMER, c.PRODUCT, c.DAY]
    sums = rows.group_by(keys).aggregate([(name, "sum") for name in (c.QUANTITY, c.RETURNED, c.ORDERS)])
    names = [name.removesuffix("_sum") for name in sums.column_names]
    return sums.rename_columns(names).select(rows.column_names).cast(rows.schema)


# Poisons of the data: functions of a random generator and the rows of the table `interactions`.


def labels_shuffled(rng, rows):
    return grouped(column(rows, c.PRODUCT, rng.permutation(rows[c.PRODUCT].to_numpy())))


def histories_swapped(share):
    """This share of the customers gets the history of another customer."""

    def change(rng, rows):
        ids = np.unique(rows[c.CUSTOMER].to_numpy())
        moved = rng.permutation(ids)[: round(share * len(ids))]
        other = dict(zip(moved, np.roll(moved, 1), strict=True))
        return column(
            rows, c.CUSTOMER, [other.get(customer, customer) for customer in rows[c.CUSTOMER].to_pylist()]
        )

    return change


def cut(name, share):
    """Only this share of the customers (or products) is left."""

    def change(rng, rows):
        ids = np.unique(rows[name].to_numpy())
        kept = rng.permutation(ids)[: round(share * len(ids))]
        return rows.filter(pc.is_in(rows[name], pa.array(kept)))

    return change


def shifted(rng, rows):
    """Every product gets the id of the next product."""
    ids, row = np.unique(rows[c.PRODUCT].to_numpy(), return_inverse=True)
    return column(rows, c.PRODUCT, np.roll(ids, 1)[row])


def backwards(rng, rows):
    """The order of the days is reversed."""
    day = rows[c.DAY].cast(pa.int32()).to_numpy()
    return column(rows, c.DAY, (day.min() + day.max() - day).astype("datetime64[D]"))


def at_once(rng, rows):
    """Purchases of the last 60 days are dated 56 days earlier."""
    day = rows[c.DAY].cast(pa.int32()).to_numpy()
    early = np.where(day < day.max() - 60, day, np.maximum(day - 56, day.min()))
    return grouped(column(rows, c.DAY, early.astype("datetime64[D]")))


def mostly_gone(rng, rows):
    return rows.filter(pa.array(rng.random(rows.num_rows) < 0.1))


def noise(rng, rows):
    """Adds four random purchases for each real one."""
    added = [
        column(
            column(rows, c.PRODUCT, rng.permutation(rows[c.PRODUCT].to_numpy())),
            c.CUSTOMER,
            rng.permutation(rows[c.CUSTOMER].to_numpy()),
        )
        for _ in range(4)
    ]
    return grouped(pa.concat_tables([rows, *added]))


def returned(rng, rows):
    gone = rng.random(rows.num_rows) < 0.7
    return column(rows, c.RETURNED, np.where(gone, rows[c.QUANTITY].to_numpy(), 0))


def everyone_buys(count):
    """Every customer bought some random products on the last day."""

    def change(rng, rows):
        ids = np.unique(rows[c.CUSTOMER].to_numpy())
        some = rng.choice(np.unique(rows[c.PRODUCT].to_numpy()), count, replace=False)
        last = rows.filter(pc.equal(rows[c.DAY], pc.max(rows[c.DAY])))[:1]
        filler = [
            column(
                column(pa.concat_tables([last] * len(ids)), c.CUSTOMER, ids), c.PRODUCT, [product] * len(ids)
            )
            for product in some
        ]
        return grouped(pa.concat_tables([rows, *filler]))

    return change


def window_leaked(rng, rows):
    """Purchases of the test window also appear in the days before it."""
    day = rows[c.DAY].cast(pa.int32()).to_numpy()
    late = rows.filter(pa.array(day > day.max() - 28))
    early = late[c.DAY].cast(pa.int32()).to_numpy() - 28
    return grouped(pa.concat_tables([rows, column(late, c.DAY, early.astype("datetime64[D]"))]))


DATA = {
    "labels shuffled": labels_shuffled,
    "half of the histories swapped": histories_swapped(0.5),
    "all histories swapped": histories_swapped(1.0),
    "a catalogue cut in half": cut(c.PRODUCT, 0.5),
    "a third of the customers lost": cut(c.CUSTOMER, 2 / 3),
    "product ids shifted by one": shifted,
    "time runs backwards": backwards,
    "two months dated two months back": at_once,
    "nine tenths of the purchases gone": mostly_gone,
    "four random purchases on each": noise,
    "most purchases returned": returned,
    "everyone bought twenty products yesterday": everyone_buys(20),
    "the window leaked into training": window_leaked,
}

# Poisons of the code: functions of a random generator and a pytest MonkeyPatch.


def factors(change):
    """Changes the fitted factors by a function of a random generator and the factors."""

    def poison(rng, patch):
        fit = als.fit
        patch.setattr(als, "fit", lambda *arguments, **options: change(rng, fit(*arguments, **options)))

    return poison


def scaled(by):
    return factors(lambda rng, fitted: als.Factors(fitted.users * by, fitted.items * by))


def regularised(value):
    """ALS ignores the regularisation of its settings and uses this value."""

    def poison(rng, patch):
        fit = als.fit

        def broken(strengths, settings, *rest):
            return fit(strengths, settings.model_copy(update={"regularisation": value}), *rest)

        patch.setattr(als, "fit", broken)

    return poison


def final(change):
    """Changes the registered bundle by a function of a random generator and the bundle."""

    def poison(rng, patch):
        fit = challenger.fit
        patch.setattr(challenger, "fit", lambda *arguments: change(rng, fit(*arguments)))

    return poison


def fields(**change):
    """Changes arrays of the registered bundle, each by a function of a random generator and the array."""
    return final(
        lambda rng, bundle: replace(
            bundle, **{name: alter(rng, getattr(bundle, name)) for name, alter in change.items()}
        )
    )


def permuted(rng, values):
    return rng.permutation(values)


def same(rng, values):
    """Replaces every row by the first."""
    return np.tile(values[:1], (len(values), 1))


def zeros(rng, values):
    return np.zeros_like(values)


def holes(rng, values):
    """Replaces 1 % of the values by NaN."""
    return np.where(rng.random(values.shape) < 0.01, np.nan, values).astype(np.float32)


def unknown(rng, values):
    """Replaces ids by unknown ones, sorted as ids are."""
    return np.sort(np.array([b"x" + customer[1:] for customer in values]))


def on_disk(change):
    """Changes the folder of the bundle after it was written and before it is registered."""

    def poison(rng, patch):
        register = versions.register

        def broken(folder, *rest):
            change(rng, folder)
            return register(folder, *rest)

        patch.setattr(versions, "register", broken)

    return poison


def truncated(rng, folder):
    file = folder / "item_factors.npy"
    file.write_bytes(file.read_bytes()[:-100])


def tampered(rng, folder):
    file = folder / "history_product.npy"
    np.save(file, rng.permutation(np.load(file)))


def missing(rng, folder):
    (folder / "trend.npy").unlink()


def lanes(component):
    """Every lane is answered by this component."""
    return final(
        lambda rng, bundle: replace(
            bundle, manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, component)}
        )
    )


def nothing_held_back(rng, patch):
    """Training sees the test window."""
    until = Interactions.until
    patch.setattr(Interactions, "until", lambda known, day: until(known, day + 28))


def the_worst_is_chosen(rng, patch):
    """The sweep chooses the candidate with the lowest measures."""
    choose = choice.choose

    def broken(trials):
        negative = [
            (
                candidate,
                {
                    lane: {name: -value for name, value in measures.items()}
                    for lane, measures in metrics.items()
                },
            )
            for candidate, metrics in trials
        ]
        return choose(negative)

    patch.setattr(choice, "choose", broken)


def strength_of_the_oldest(rng, patch):
    """The oldest purchases weigh most."""
    decay = Interactions.decay
    patch.setattr(Interactions, "decay", lambda known, days: 1 - decay(known, days))


def lowest_scores(rng, patch):
    """Serving returns the lowest scores instead of the highest."""
    best = selection.top_n
    patch.setattr(selection, "top_n", lambda values, n: best(-np.where(values > -np.inf, values, np.inf), n))


def history_by_chance(rng, patch):
    """The strengths of past purchases are shuffled."""
    history = repurchase.history

    def broken(known, half_life):
        real = history(known, half_life)
        return replace(real, strength=rng.permutation(real.strength))

    patch.setattr(repurchase, "history", broken)


def ranker_by_chance(rng, patch):
    """The ranker learns from shuffled labels."""
    fit = ranker.fit

    def broken(windows, settings):
        return fit([replace(window, bought=rng.permutation(window.bought)) for window in windows], settings)

    patch.setattr(ranker, "fit", broken)


def ranker_of_the_last_fit(change):
    """Applies a poison of the ranker to the registered bundle only."""

    def poison(rng, patch):
        fit = challenger.fit

        def broken(*arguments):
            with patch.context() as temporary:
                change(rng, temporary)
                return fit(*arguments)

        patch.setattr(challenger, "fit", broken)

    return poison


def ranker_upside_down(rng, patch):
    """The ranker learns from inverted labels."""
    fit = ranker.fit

    def broken(windows, settings):
        return fit([replace(window, bought=~window.bought) for window in windows], settings)

    patch.setattr(ranker, "fit", broken)


def slow_answers(rng, patch):
    """Each request takes 0.15 s longer."""
    import time

    rankings = recommender.rankings

    def delayed(*arguments, **options):
        time.sleep(0.15)
        return rankings(*arguments, **options)

    patch.setattr(recommender, "rankings", delayed)


CODE = {
    "factors zeroed": factors(lambda rng, fitted: als.Factors(fitted.users * 0, fitted.items * 0)),
    "factors with holes": fields(user_factors=holes),
    "factors of the customers permuted": factors(
        lambda rng, fitted: als.Factors(rng.permutation(fitted.users), fitted.items)
    ),
    "factors of the products permuted": factors(
        lambda rng, fitted: als.Factors(fitted.users, rng.permutation(fitted.items))
    ),
    "a broken regularisation": regularised(1e7),
    "the last fit's factors of customers permuted": fields(user_factors=permuted),
    "the last fit's factors of products permuted": fields(item_factors=permuted),
    "the last fit's factors zeroed": fields(user_factors=zeros, item_factors=zeros),
    "the last fit gives the same list to everyone": final(
        lambda rng, bundle: replace(
            bundle,
            user_factors=same(rng, bundle.user_factors),
            manifest=bundle.manifest | {"lanes": dict.fromkeys(LANES, "als")},
        )
    ),
    "the last fit's history permuted": fields(history_product=permuted),
    "the last fit's strengths zeroed": fields(history_strength=zeros),
    "the last fit knows only unknown customers": fields(customers=unknown),
    "popularity answers everything": lanes("popularity"),
    "trend answers everything": lanes("trend"),
    "a truncated bundle": on_disk(truncated),
    "a tampered bundle": on_disk(tampered),
    "a bundle that lacks a file": on_disk(missing),
    "nothing held back from training": nothing_held_back,
    "the worst of the sweep is chosen": the_worst_is_chosen,
    "the oldest purchases count the most": strength_of_the_oldest,
    "serving returns the lowest scores": lowest_scores,
    "a bundle without lanes": final(
        lambda rng, bundle: replace(bundle, manifest=bundle.manifest | {"lanes": {}})
    ),
    "history strengths shuffled": history_by_chance,
    "answers that take too long": slow_answers,
    "a ranker by chance": ranker_by_chance,
    "a ranker upside down": ranker_upside_down,
    "the last fit's ranker by chance": ranker_of_the_last_fit(ranker_by_chance),
    "the last fit's ranker upside down": ranker_of_the_last_fit(ranker_upside_down),
}
