"""Which part each actor has: words between names and behind them, lists, clauses, sites, defaults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assets import folder
from pipeline.classify.entities import Mention
from pipeline.classify.folding import Folded
from pipeline.classify.lexicon import EVENTS, ROLES, table
from pipeline.classify.role_table import Cues, RoleTable
from pipeline.classify.roles import RoleReader
from tests.unit.classify.conftest import Assess

NAMES = {"Acme": "acme", "Bolt": "bolt", "Cargo": "cargo", "Delos": "delos"}
KINDS = {"acme": "lab", "bolt": "lab", "cargo": "chips", "delos": "state"}


@pytest.fixture(scope="module")
def reader() -> RoleReader:
    return RoleReader(table("roles.yaml", folder("tables"), RoleTable), KINDS)


def mentions(title: str, text: str = "") -> list[Mention]:
    """Every made-up name in reading order; `Bolt 2` is a product."""
    found = []
    for field in (Folded.of("title", title), Folded.of("text", text)):
        starts = sorted(
            (field.original.find(name, at), name) for name in NAMES for at in _all(field.original, name)
        )
        for start, name in starts:
            product = field.original[start:].startswith(f"{name} 2")
            end = start + len(name) + 2 * product
            found.append(Mention(NAMES[name], field, start, end, product=f"{name} 2" if product else ""))
    return found


def _all(text: str, name: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith(name, at)]


@pytest.mark.parametrize(
    ("title", "roles"),
    [
        ("Acme buys the small robotics start-up Bolt", "mover target"),
        ("Acme kauft den kleinen Chipentwickler Bolt", "mover target"),
        ("Acme宣布收购初创公司Bolt", "mover target"),
        ("Acme rachète la jeune pousse Bolt", "mover target"),
        ("Acme adquiere la firma emergente Bolt", "mover target"),
        ("Acme adquire a novata Bolt", "mover target"),
        ("Acme가 스타트업 Bolt를 인수한다", "mover target"),
        ("Acme、新興企業のBoltを買収", "mover target"),
        ("Acme sues search engine Bolt", "mover target"),
        ("Acme wirft der Firma Bolt Diebstahl vor", "mover target"),
        ("Acme will Bolt wegen Kopien verklagen", "mover target"),
        ("Acme从Bolt挖走三名研究员", "mover target"),
        ("Acme wants its model to challenge market leader Bolt", "mover rival"),
        ("Acme will mit neuem Modell Bolt überholen", "mover rival"),
        ("Acme fordert den Marktführer Bolt heraus", "mover rival"),
        ("Acme发布新模型，全面超越Bolt", "mover rival"),
        ("Acme下周发布搜索，与Bolt掰手腕", "mover rival"),
        ("Acme, 새 모델로 Bolt 추월", "mover rival"),
        ("Acme、新モデルでBoltに対抗", "mover rival"),
        ("Acme supera a la china Bolt", "mover rival"),
        ("Acme dépasse le géant Bolt", "mover rival"),
        ("Acme setzt künftig auf Bolt-Chips", "mover partner"),
        ("Acme integrates the assistant Bolt into its phones", "mover partner"),
        ("Acme与Bolt合作", "mover partner"),
        ("Acme将把Bolt整合到搜索中", "mover partner"),
        ("Acme, Bolt와 손잡고 칩 개발", "mover partner"),
        ("Acme、Boltと提携", "mover partner"),
        ("Acme s'associe à la société Bolt", "mover partner"),
        ("Acme invierte mil millones en Bolt", "mover partner"),
        ("Acme fecha parceria com a Bolt", "mover partner"),
        ("Acme claims its model is competitive with the newest of Bolt", "mover rival"),
        ("Acme will weniger abhängig von Bolt sein", "mover rival"),
        ("Acme 降低对Bolt的依赖", "mover rival"),
        ("Acme lanza una alternativa a Bolt", "mover rival"),
        ("Acme, 서버에 Bolt 활용", "mover partner"),
        ("Acme plans a stricter export ban for Bolt", "mover target"),
        ("Acme finds a security hole in Bolt", "mover target"),
        ("Acme findet eine Lücke in Bolt", "mover target"),
    ],
)
def test_a_verb_between_two_names_or_behind_the_second_tells(
    reader: RoleReader, title: str, roles: str
) -> None:
    assert " ".join(reader.read(mentions(title), "").values()) == roles


@pytest.mark.parametrize(
    ("title", "roles"),
    [
        ("Acme is to be acquired by Bolt", "target mover"),
        ("Acme wird von Bolt übernommen", "target mover"),
        ("Acme被Bolt收购", "target mover"),
        ("Acme researcher jumps to Bolt", "target mover"),
        ("Acme-Forscher wechselt zu Bolt", "target mover"),
        ("Acme大牛跳槽Bolt", "target mover"),
        ("A newspaper sues the search engine Acme", "target"),
        ("Acme is being investigated by the labour office", "target"),
        ("Acme faces a copyright lawsuit in France", "target"),
        ("Acme darf Chips wieder nach China verkaufen", "target"),
        ("Acme 조사 받는다", "target"),
        ("Acme面临集体诉讼", "target"),
        ("Acme investigated by Bolt", "target mover"),
        ("Wegen Acme: Bolt droht mit Verbot", "target mover"),
        ("Acme engineer Ann joins Bolt", "target mover"),
        ("Acme co-founder starts a fund", "mentioned"),
        ("Streit um Preise ist laut Acme vorbei", "mover"),
        ("新创公司融资，Acme等联合领投", "partner"),
        ("Angriff auf Acme: Bolt stellt Modell vor", "rival mover"),
        ("剑指Acme，Bolt发布芯片", "rival mover"),
        ("Acme rival Bolt raises money", "rival mover"),
        ("Acme-Konkurrent Bolt erhält Geld", "rival mover"),
        ("Acme investor Bolt sells shares", "partner mover"),
    ],
)
def test_who_is_named_first_need_not_move(reader: RoleReader, title: str, roles: str) -> None:
    assert " ".join(reader.read(mentions(title), "").values()) == roles


@pytest.mark.parametrize(
    ("title", "roles"),
    [
        ("Acme and Bolt sign a contract", "mover partner"),
        ("Acme und Bolt vereinbaren eine Kooperation", "mover partner"),
        ("Acme和Bolt签署协议", "mover partner"),
        ("Acme y Bolt firman un acuerdo", "mover partner"),
        ("Acme, Bolt and Cargo sign a contract", "mover mover mover"),
        ("Acme and Bolt fall on the stock market", "mover mover"),
        ("Acme will Bolt und Cargo überholen", "mover rival rival"),
        ("Acme soll Bolt- und Cargo-Modelle übertreffen", "mover rival rival"),
        ("Acme挑战Bolt、Cargo", "mover rival rival"),
        ("Acme beats Bolt's Bolt 2 and Cargo", "mover rival rival"),
        ("Konzerne wie Acme oder Bolt brauchen Strom", "mover mover"),
    ],
)
def test_names_of_a_list_share_a_part(reader: RoleReader, title: str, roles: str) -> None:
    assert " ".join(reader.read(mentions(title), "").values()) == roles


@pytest.mark.parametrize(
    "title",
    [
        "Acme raises money, Bolt opens a data centre",
        "Acme发布新模型；Bolt开放接口",
        "Acme: Bolt lobt Regeln",
        "Acme涨价！Bolt降价",
    ],
)
def test_who_opens_a_clause_of_the_title_moves(reader: RoleReader, title: str) -> None:
    assert reader.read(mentions(title), "deal") == {"acme": "mover", "bolt": "mover"}


def test_in_a_deal_of_two_the_second_is_the_partner(reader: RoleReader) -> None:
    found = mentions("Neue Konferenzsysteme von Acme und Bolt")
    assert reader.read(found, "deal") == {"acme": "mover", "bolt": "partner"}
    assert reader.read(found, "release") == {"acme": "mover", "bolt": "mover"}


def test_whom_a_state_acts_upon_may_be_named_before_a_colon(reader: RoleReader) -> None:
    found = mentions("Videos on Acme: Delos opens a case")
    assert reader.read(found, "policy") == {"acme": "target", "delos": "mover"}
    assert reader.read(found, "release") == {"acme": "mover", "delos": "mover"}
    assert reader.read(found, "policy", "acme") == {"acme": "mover", "delos": "mover"}
    both = mentions("Acme, Bolt: Delos opens a case")
    assert reader.read(both, "policy") == {"acme": "mover", "bolt": "mover", "delos": "mover"}


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Acme buys more Bolt chips", "partner"),
        ("Acme kauft Bolt-Chips", "partner"),
        ("Acme compra Bolt", "target"),
        ("Acme buys Bolt for its chips", "target"),
        ("Acme bans Bolt chips", "target"),
    ],
)
def test_whose_goods_are_bought_is_a_partner(reader: RoleReader, title: str, role: str) -> None:
    assert reader.read(mentions(title), "deal")["bolt"] == role


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Delos requires a licence for exports of Bolt's Bolt 2", "target"),
        ("Delos verlangt Lizenz für den Verkauf von Bolt 2", "target"),
        ("Delos exige una licencia para exportar Bolt 2", "target"),
        ("Delos禁止企业采购Bolt芯片", "target"),
        ("Delos tightens export rules for Bolt", "target"),
        ("Acme blocks deals with Bolt", "target"),
        ("Delos lets Bolt 2 makers wait: Bolt to sell chips to China", "target"),
        ("Delos licenses models from Bolt", "partner"),
        ("Delos tightens ties with Bolt", "partner"),
        ("Acme bans spam, uses Bolt", "partner"),
        ("Acme Ray-Ban glasses work with Bolt", "partner"),
    ],
)
def test_whose_goods_are_held_up_is_hit_whatever_is_done_with_them(
    reader: RoleReader, title: str, role: str
) -> None:
    assert reader.read(mentions(title), "policy")["bolt"] == role


def test_a_name_may_hold_the_verb_that_tells(assess: Assess) -> None:
    def roles(title: str) -> dict[str, str]:
        return {each.id: each.role for each in assess(title).actors}

    # `US restricts` is a name of the lexicon. The firm `Block` is not, and holds nobody up.
    assert roles("US restricts AI chip deals with Nvidia") == {"us-gov": "mover", "nvidia": "target"}
    assert roles("US requires licence for Nvidia's H20 exports") == {"us-gov": "mover", "nvidia": "target"}
    assert roles("Block partners with Anthropic on AI agents")["anthropic"] == "partner"


def test_who_is_left_stands_before_the_person_who_joins(reader: RoleReader) -> None:
    # Where `Bolt` first stands for a person known to work there now.
    found = mentions("Acme大将Bolt加盟Bolt")
    assert reader.read(found, "talent") == {"acme": "target", "bolt": "mover"}


def test_the_event_tells_what_against_means(reader: RoleReader) -> None:
    found = mentions("Acme goes against the lab Bolt")
    assert reader.read(found, "legal")["bolt"] == "target"
    assert reader.read(found, "release")["bolt"] == "rival"


def test_the_nearest_word_tells_and_a_bare_preposition_last(reader: RoleReader) -> None:
    assert reader.read(mentions("Acme in talks to acquire Bolt"), "")["bolt"] == "target"
    assert reader.read(mentions("Acme competes in search with Bolt"), "")["bolt"] == "rival"
    assert reader.read(mentions("Acme shows glasses with Bolt"), "strategy")["bolt"] == "partner"


def test_what_the_title_leaves_open_the_text_may_tell(reader: RoleReader) -> None:
    assert reader.read(mentions("Acme after Bolt"), "adoption")["bolt"] == "rival"
    found = mentions("Acme after Bolt", "Acme has bought the start-up Bolt.")
    assert reader.read(found, "adoption")["bolt"] == "target"


def test_on_its_own_site_an_actor_moves_unless_its_customer_is_named_first(reader: RoleReader) -> None:
    assert reader.read(mentions("Bolt 2 is now in Acme"), "release", "acme") == {
        "bolt": "partner",
        "acme": "mover",
    }
    assert reader.read(mentions("Bolt chooses Acme"), "deal", "acme") == {"bolt": "mover", "acme": "partner"}
    # Its maker's name before a product is no customer.
    assert reader.read(mentions("Bolt's Bolt 2", "Now on Acme."), "release", "acme") == {
        "bolt": "partner",
        "acme": "mover",
    }


def test_in_the_text_alone_only_its_like_is_a_rival_and_a_state_is_scenery(reader: RoleReader) -> None:
    found = reader.read(mentions("Acme shows a model", "Bolt. Cargo. Delos."), "release")
    assert found == {"acme": "mover", "bolt": "rival", "cargo": "mentioned", "delos": "mentioned"}


def test_a_short_table_has_rules_of_its_own() -> None:
    reader = RoleReader(RoleTable({"rival": Cues(toward=["outruns"])}, ["or"], {"deal": "target"}, {}), {})
    assert reader.read(mentions("Acme outruns Bolt or Cargo near Delos"), "deal") == {
        "acme": "mover",
        "bolt": "rival",
        "cargo": "rival",
        "delos": "target",
    }


def test_roles_reach_the_verdict(assess: Assess) -> None:
    found = assess("Salesforce chooses Claude for its AI", url="https://www.anthropic.com/customers/x")
    assert {each.id: each.role for each in found.actors} == {"salesforce": "mover", "anthropic": "partner"}
    found = assess("Claude Opus 4.5 is now available in Windsurf", url="https://windsurf.com/blog/x")
    assert {each.id: each.role for each in found.actors} == {"anthropic": "partner", "cognition": "mover"}


WORD = st.sampled_from(
    [*NAMES, "Bolt 2", "buys", "gegen", "与", "收购", "被", "and", ",", ":", "、", "'s", "-", "rival", "\n"]
)


@given(
    st.lists(WORD, max_size=12),
    st.lists(WORD, max_size=12),
    st.sampled_from(["", *EVENTS]),
    st.sampled_from(["", "acme"]),
)
def test_every_actor_has_one_role(
    reader: RoleReader, title: list[str], text: list[str], event: str, own: str
) -> None:
    for space in ("", " "):
        found = mentions(space.join(title), space.join(text))
        roles = reader.read(found, event, own)
        assert list(roles) == list(dict.fromkeys(m.actor for m in found))
        assert set(roles.values()) <= set(ROLES)


def test_a_table_may_have_no_joins() -> None:
    assert RoleReader(RoleTable(cues={}, joins=[], second={}, below={}), {}).read([], "") == {}
