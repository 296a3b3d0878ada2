"""Who and what is named: scripts, inflections, guards, versions, roles."""

import pytest

from tests.unit.classify.conftest import Assess


@pytest.mark.parametrize(
    ("title", "actor"),
    [
        ("OpenAIs neues KI-Modell ist da", "openai"),
        ("Alibaba-Konzern stellt KI vor", "alibaba"),
        ("오픈AI는 새 모델을 공개했다", "openai"),
        ("딥시크의 새 AI 모델", "deepseek"),
        ("据悉阿里Qwen发布新模型", "alibaba"),
        ("ＯｐｅｎＡＩ releases a model", "openai"),
        ("META launches an AI model", "meta"),
        ("Altman says AI is coming", "openai"),
        ("New AI model Grok 5 from Musk", "xai"),
        ("马斯克谈人工智能", "xai"),
        ("Brüssel: EU-Kommission prüft KI-Regeln", "eu"),
    ],
)
def test_names_are_found_in_every_script(assess: Assess, title: str, actor: str) -> None:
    assert actor in [each.id for each in assess(title).actors]


@pytest.mark.parametrize(
    ("title", "text", "actor"),
    [
        ("Meta-Analyse: KI hilft Ärzten", "", "meta"),
        ("A meta-analysis of AI studies", "", "meta"),
        ("AI horoscopes for the zodiac sign Gemini", "", "google"),
        ("AI restores a painting by Claude Monet", "", "anthropic"),
        ("今年红苹果丰收，人工智能帮忙", "", "apple"),
        ("Arms race for AI", "", "arm"),
        ("Figure 2 shows the AI results", "", "figure"),
        ("Dracula und Van Helsing: KI belebt den Film", "", "helsing"),
        ("메타버스와 AI", "", "meta"),
        ("Research on metadata and AI", "", "meta"),
        ("JD Vance speaks on AI", "", "jd"),
        ("The cursor of AI is a mouse cursor", "", "cursor"),
        ("新智元：AI模型开源", "", "agibot"),
        ("갤럭시 S26 시리즈와 AI", "", "apple"),
    ],
)
def test_what_only_looks_like_a_name_is_none(assess: Assess, title: str, text: str, actor: str) -> None:
    assert actor not in [each.id for each in assess(title, text).actors]


@pytest.mark.parametrize(
    ("title", "product", "actor"),
    [
        ("Alibaba launches Qwen3-Max", "Qwen 3 Max", "alibaba"),
        ("Alibaba launches Qwen2.5", "Qwen 2.5", "alibaba"),
        ("Qwen 4.5-Omni is out", "Qwen 4.5 Omni", "alibaba"),
        ("OpenAI releases GPT-5.5", "GPT-5.5", "openai"),
        ("OpenAI releases GPT-7 mini", "GPT-7 mini", "openai"),
        ("OpenAI releases o3-mini", "o3 mini", "openai"),
        ("Anthropic releases Claude Opus 4.5", "Claude Opus 4.5", "anthropic"),
        ("Anthropic releases Claude 3.7 Sonnet", "Claude 3.7 Sonnet", "anthropic"),
        ("谷歌Gemini 2.5 Pro免费开放", "Gemini 2.5 Pro", "google"),
        ("百度发布文心6.0大模型", "Ernie 6.0", "baidu"),
        ("豆包1.5大模型发布", "Doubao 1.5", "bytedance"),
        ("Meta releases Llama 4 Maverick", "Llama 4 Maverick", "meta"),
        ("DeepSeek-V3.1 is here", "DeepSeek-V3.1", "deepseek"),
        ("DeepSeek launches R1", "DeepSeek-R1", "deepseek"),
        ("DeepSeek-V5 is coming", "DeepSeek-V5", "deepseek"),
        ("快手发布可图3.0大模型", "Kolors 3.0", "kuaishou"),
        ("Google shows Imagen 9 Ultra, a new AI model", "Imagen 9 Ultra", "google"),
        ("Nvidia may sell the H20 AI chip again", "H20", "nvidia"),
        ("AMD ships the MI300X AI chip", "MI300X", "amd"),
        ("Moonshot AI open-sources Kimi K2", "Kimi K2", "moonshot"),
        ("Moonshot AI releases Kimi K2 0905", "Kimi K2 0905", "moonshot"),
        ("Meta releases Llama 4 Scout 17B 16E", "Llama 4 Scout 17B 16E", "meta"),
        ("Microsoft zeigt GitHub-Copilot-Agenten", "GitHub Copilot", "microsoft"),
        ("StepFun opens Step Audio 2, an AI model", "Step-Audio 2", "stepfun"),
        ("Moonshot AI raises money on the success of K2.5", "Kimi K2.5", "moonshot"),
        ("Google shows Gemma 3 270M for phones", "Gemma 3 270M", "google"),
        ("Claude 2 is on Amazon Bedrock", "Amazon Bedrock", "amazon"),
        ("Codex comes to those on GitHub Copilot", "GitHub Copilot", "microsoft"),
        ("新一代AI芯片：华为昇腾910C", "Ascend 910C", "huawei"),
        ("智元发布远征A3机器人", "远征A3", "agibot"),
    ],
)
def test_products_are_spelt_as_usual_and_owned(assess: Assess, title: str, product: str, actor: str) -> None:
    found = assess(title)
    assert (product, actor) in [(each.name, each.actor) for each in found.products]
    assert actor in [each.id for each in found.actors]


@pytest.mark.parametrize(
    ("title", "product"),
    [
        ("Gemini 3 million users, says Google of its AI", "Gemini"),
        ("Anthropic sells Claude Max 20x", "Claude Max"),
        ("Anthropic: Claude 200美元一个月", "Claude"),
    ],
)
def test_a_quantity_is_no_version(assess: Assess, title: str, product: str) -> None:
    assert [each.name for each in assess(title).products] == [product]


@pytest.mark.parametrize(
    ("title", "text", "product"),
    [
        ("Alibaba launches Qwen 3", "Qwen is Alibaba's AI model.", "Qwen 3"),
        ("Claude Opus 4.5 writes code", "Anthropic says Claude is better at it.", "Claude Opus 4.5"),
    ],
)
def test_a_family_is_named_once(assess: Assess, title: str, text: str, product: str) -> None:
    assert [each.name for each in assess(title, text).products] == [product]


def test_a_short_text_has_five_products_at_most(assess: Assess) -> None:
    text = "AI: Qwen 3, GPT-5, Claude Opus 4, Gemini 3, Grok 4, Llama 4, DeepSeek-V3"
    assert len(assess("A new AI model beats all", text).products) == 5
    assert len(assess("A new AI model beats all", text + " x" * 1500).products) == 7


def test_what_a_summary_names_at_its_end_is_background(assess: Assess) -> None:
    text = "The model is quick and good. " * 15 + "Google's Gemini 3 is older."
    found = assess("OpenAI releases GPT-6, a new AI model", text)
    assert ([each.id for each in found.actors], [each.name for each in found.products]) == (
        ["openai"],
        ["GPT-6"],
    )
    whole = assess("OpenAI releases GPT-6, a new AI model", text + " It can do more." * 150)
    assert "google" in [each.id for each in whole.actors]
    assert "Gemini 3" in [each.name for each in whole.products]


def test_an_actor_speaks_on_its_own_site(assess: Assess) -> None:
    found = assess("Introducing our new reasoning model", url="https://www.anthropic.com/news/x")
    assert [each.id for each in found.actors] == ["anthropic"]
    assert (
        assess("Introducing our new reasoning model", url="https://anthropic.com.evil.example/").actors == []
    )


@pytest.mark.parametrize(
    ("title", "roles"),
    [
        ("DeepSeek tritt gegen OpenAI an", {"deepseek": "mover", "openai": "rival"}),
        ("百度挑战OpenAI", {"baidu": "mover", "openai": "rival"}),
        ("OpenAI to buy Windsurf for $3 billion", {"openai": "mover", "cognition": "target"}),
        ("The New York Times sued OpenAI over copyright", {"openai": "target"}),
        ("Mistral AI signs a deal with Nvidia", {"mistral": "mover", "nvidia": "partner"}),
        ("Microsoft-backed OpenAI raises $10 billion", {"microsoft": "partner", "openai": "mover"}),
        ("Microsoft, Amazon y Nvidia lanzan una alianza de IA", {"microsoft": "mover", "nvidia": "mover"}),
        ("Autoren verklagen Google, Meta und OpenAI", {"google": "target", "openai": "target"}),
        ("Alibaba says its Qwen 4 beats ChatGPT and Claude", {"alibaba": "mover", "anthropic": "rival"}),
    ],
)
def test_roles(assess: Assess, title: str, roles: dict[str, str]) -> None:
    found = {each.id: each.role for each in assess(title).actors}
    assert {actor: found.get(actor) for actor in roles} == roles


@pytest.mark.parametrize(("maker", "product"), [("DeepSeek", "DeepSeek-R1"), ("Unitree", "Unitree R1")])
def test_two_makers_of_one_name_are_told_apart_by_who_is_named(
    assess: Assess, maker: str, product: str
) -> None:
    assert [p.name for p in assess(f"{maker} presents the R1, built for AI").products] == [product]
