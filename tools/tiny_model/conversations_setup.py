"""This module makes the turns about connecting a real model: each has one answer, worded as the product's commands are."""

import random

from .wording import typed

__all__ = ["setup"]

_SHOWS = {
    "en": "`headrace models` shows what is there.",
    "es": "`headrace models` muestra lo que hay.",
    "fr": "`headrace models` montre ce qu'il y a.",
    "de": "`headrace models` zeigt, was da ist.",
}

_ANSWERS: dict[str, dict[str, str]] = {
    "ollama": {
        "en": "Start Ollama on this machine (`ollama serve`, then `ollama pull gemma3`): Headrace finds it by itself. ",
        "es": "Inicia Ollama en esta máquina (`ollama serve`, luego `ollama pull gemma3`): Headrace lo encuentra por sí mismo. ",
        "fr": "Démarre Ollama sur cette machine (`ollama serve`, puis `ollama pull gemma3`) : Headrace le trouve tout seul. ",
        "de": "Starte Ollama auf diesem Rechner (`ollama serve`, dann `ollama pull gemma3`): Headrace findet es von selbst. ",
    },
    "server": {
        "en": "Start its server on this machine: Headrace finds LM Studio, llama.cpp's server and Ollama by itself. ",
        "es": "Inicia su servidor en esta máquina: Headrace encuentra LM Studio, el servidor de llama.cpp y Ollama por sí mismo. ",
        "fr": "Démarre son serveur sur cette machine : Headrace trouve LM Studio, le serveur de llama.cpp et Ollama tout seul. ",
        "de": "Starte seinen Server auf diesem Rechner: Headrace findet LM Studio, den Server von llama.cpp und Ollama von selbst. ",
    },
    "pull": {
        "en": "Run `headrace pull owner/repo:Q4_K_M`, with the name of a GGUF repository of Hugging Face: it downloads the file, and "
        "Headrace finds it in the folder of models by itself. ",
        "es": "Ejecuta `headrace pull owner/repo:Q4_K_M`, con el nombre de un repositorio GGUF de Hugging Face: descarga el archivo, y "
        "Headrace lo encuentra por sí mismo en la carpeta de modelos. ",
        "fr": "Lance `headrace pull owner/repo:Q4_K_M`, avec le nom d'un dépôt GGUF de Hugging Face : la commande télécharge le fichier, "
        "et Headrace le trouve tout seul dans le dossier des modèles. ",
        "de": "Führe `headrace pull owner/repo:Q4_K_M` aus, mit dem Namen eines GGUF-Repositorys von Hugging Face: Das lädt die Datei "
        "herunter, und Headrace findet sie von selbst im Ordner der Modelle. ",
    },
    "file": {
        "en": "Start with `headrace serve --model model.gguf`, with the path of your GGUF file, or put the file into the folder `models` "
        "of the data folder: Headrace finds it there by itself. ",
        "es": "Inicia con `headrace serve --model model.gguf`, con la ruta de tu archivo GGUF, o pon el archivo en la carpeta `models` de "
        "la carpeta de datos: Headrace lo encuentra allí por sí mismo. ",
        "fr": "Démarre avec `headrace serve --model model.gguf`, avec le chemin de ton fichier GGUF, ou mets le fichier dans le dossier "
        "`models` du dossier de données : Headrace l'y trouve tout seul. ",
        "de": "Starte mit `headrace serve --model model.gguf`, mit dem Pfad deiner GGUF-Datei, oder lege die Datei in den Ordner `models` "
        "des Datenordners: Headrace findet sie dort von selbst. ",
    },
    "key": {
        "en": "Put the key into the environment, as OPENAI_API_KEY, and write `[providers.openai]` with `enabled = true` into "
        "headrace.toml; then start with `headrace serve --config headrace.toml`. ",
        "es": "Pon la clave en el entorno, como OPENAI_API_KEY, y escribe `[providers.openai]` con `enabled = true` en headrace.toml; "
        "luego inicia con `headrace serve --config headrace.toml`. ",
        "fr": "Mets la clé dans l'environnement, comme OPENAI_API_KEY, et écris `[providers.openai]` avec `enabled = true` dans "
        "headrace.toml ; puis démarre avec `headrace serve --config headrace.toml`. ",
        "de": "Lege den Schlüssel in die Umgebung, als OPENAI_API_KEY, und schreibe `[providers.openai]` mit `enabled = true` in "
        "headrace.toml; starte dann mit `headrace serve --config headrace.toml`. ",
    },
    "any": {
        "en": "There are three ways. Ollama: start it on this machine, and Headrace finds it by itself. A GGUF file: "
        "`headrace pull owner/repo:Q4_K_M` downloads one from Hugging Face. An API key: put it into the environment, as OPENAI_API_KEY, "
        "and write `[providers.openai]` with `enabled = true` into headrace.toml. ",
        "es": "Hay tres maneras. Ollama: inícialo en esta máquina, y Headrace lo encuentra por sí mismo. Un archivo GGUF: "
        "`headrace pull owner/repo:Q4_K_M` descarga uno de Hugging Face. Una clave de API: ponla en el entorno, como OPENAI_API_KEY, "
        "y escribe `[providers.openai]` con `enabled = true` en headrace.toml. ",
        "fr": "Il y a trois façons. Ollama : démarre-le sur cette machine, et Headrace le trouve tout seul. Un fichier GGUF : "
        "`headrace pull owner/repo:Q4_K_M` en télécharge un de Hugging Face. Une clé d'API : mets-la dans l'environnement, comme "
        "OPENAI_API_KEY, et écris `[providers.openai]` avec `enabled = true` dans headrace.toml. ",
        "de": "Es gibt drei Wege. Ollama: Starte es auf diesem Rechner, und Headrace findet es von selbst. Eine GGUF-Datei: "
        "`headrace pull owner/repo:Q4_K_M` lädt eine von Hugging Face herunter. Ein API-Schlüssel: Lege ihn in die Umgebung, als "
        "OPENAI_API_KEY, und schreibe `[providers.openai]` mit `enabled = true` in headrace.toml. ",
    },
}

_HOW = {
    "en": """{how do I {use|connect|add|set up|get|configure|run|install|try}|how can I {use|connect|add|set up|get|run|configure}|how to {use|connect|add|set up|\
get|run|configure}|I want to {use|connect|add|run|try}|can I {use|connect|add|run}|help me {connect|use|set up|add}|can you {connect to|use|work with}|\
please connect|connect|set up|use|what about|does {this|it|headrace} {work with|support}|I would like to {use|connect|add}|is it possible to {use|connect|add}|\
tell me how to {connect|use|add|set up}|what do I need {for|to use}|explain how to {connect|use|set up}|where do I {add|put|configure|set}|\
steps to {connect|use|add}|I need to {connect|use|set up|add}|we want to {use|connect}|show me how to {use|connect|set up}}""",
    "es": """{¿cómo {uso|conecto|añado|configuro|instalo|pongo|puedo usar|puedo conectar}|¿puedo {usar|conectar|añadir}|quiero {usar|conectar|añadir}|\
cómo {conectar|usar|configurar|añadir}|ayúdame a {conectar|usar|configurar}|¿funciona con|conecta|explícame cómo {usar|conectar}|me gustaría {usar|conectar}}""",
    "fr": """{comment {utiliser|connecter|ajouter|configurer|installer|puis-je utiliser|je connecte|on connecte}|puis-je {utiliser|connecter|ajouter}|je veux {utiliser|\
connecter|ajouter}|aide-moi à {connecter|utiliser|configurer}|est-ce que ça marche avec|connecte|explique comment {utiliser|connecter}|je voudrais {utiliser|connecter}}""",
    "de": """{wie {benutze ich|verbinde ich|nutze ich|verwende ich|kann ich|bekomme ich|richte ich|geht das mit}|kann ich|ich möchte|ich will|hilf mir mit|verbinde|wie geht|\
geht auch|erkläre mir, wie ich|funktioniert das mit|was brauche ich für|zeig mir, wie ich}""",
}
_TAIL = {
    "en": "{| with headrace| here| in headrace| with this| on my machine| on this computer|, please| please}{?|.|}",
    "es": "{| con headrace| aquí| en headrace|, por favor| en mi máquina}{?|.|}",
    "fr": "{| avec headrace| ici| dans headrace| s'il te plaît| sur ma machine}{ ?|.|}",
    "de": "{| mit Headrace| hier| in Headrace| bitte| auf meinem Rechner}{| benutzen| verbinden| nutzen| verwenden| anschließen}{?|.|}",
}
_WHAT: dict[str, dict[str, str]] = {
    "ollama": {
        "en": "{Ollama|my Ollama|an Ollama model|models from Ollama|Ollama models|my local Ollama|the Ollama on my laptop|gemma from Ollama|llama3 with Ollama|Ollama to this}",
        "es": "{Ollama|mi Ollama|un modelo de Ollama|los modelos de Ollama|Ollama local}",
        "fr": "{Ollama|mon Ollama|un modèle d'Ollama|les modèles d'Ollama|Ollama en local}",
        "de": "{Ollama|mein Ollama|ein Modell von Ollama|die Modelle von Ollama|ein lokales Ollama}",
    },
    "server": {
        "en": "{LM Studio|a llama.cpp server|llama-server|the server of llama.cpp|models of LM Studio|my LM Studio|llama.cpp's server}",
        "es": "{LM Studio|un servidor de llama.cpp|llama-server|mi LM Studio}",
        "fr": "{LM Studio|un serveur llama.cpp|llama-server|mon LM Studio}",
        "de": "{LM Studio|einen Server von llama.cpp|llama-server|mein LM Studio}",
    },
    "pull": {
        "en": "{a GGUF from Hugging Face|a model from Hugging Face|a GGUF repository|headrace pull|a huggingface model|a GGUF model of Hugging Face|a download from Hugging Face|"
        "the pull command|HF models|a quantized model from hugging face}",
        "es": "{un GGUF de Hugging Face|un modelo de Hugging Face|headrace pull|un modelo GGUF de Hugging Face}",
        "fr": "{un GGUF de Hugging Face|un modèle de Hugging Face|headrace pull|un modèle GGUF de Hugging Face}",
        "de": "{ein GGUF von Hugging Face|ein Modell von Hugging Face|headrace pull|ein GGUF-Modell von Hugging Face}",
    },
    "file": {
        "en": "{my own GGUF file|a local gguf file|a .gguf file|the GGUF file on my disk|a GGUF I already have|model.gguf|a gguf that I downloaded|my gguf}",
        "es": "{mi archivo GGUF|un archivo .gguf|un archivo gguf local|el GGUF que ya tengo}",
        "fr": "{mon fichier GGUF|un fichier .gguf|un fichier gguf local|le GGUF que j'ai déjà}",
        "de": "{meine GGUF-Datei|eine .gguf-Datei|eine lokale GGUF-Datei|das GGUF, das ich schon habe}",
    },
    "key": {
        "en": "{an API key|my API key|my OpenAI key|an OpenAI key|OpenAI|the OpenAI API|GPT-4|ChatGPT|a key|OPENAI_API_KEY|a cloud model|models of OpenAI|an openai api key|my api-key|an account at OpenAI|the API of OpenAI}",
        "es": "{una clave de API|mi clave de API|mi clave de OpenAI|OpenAI|la API de OpenAI|GPT-4|ChatGPT|una API key|OPENAI_API_KEY}",
        "fr": "{une clé d'API|ma clé d'API|ma clé OpenAI|OpenAI|l'API d'OpenAI|GPT-4|ChatGPT|une clé API|OPENAI_API_KEY}",
        "de": "{einen API-Schlüssel|meinen API-Schlüssel|meinen Schlüssel von OpenAI|OpenAI|die API von OpenAI|GPT-4|ChatGPT|einen API-Key|OPENAI_API_KEY}",
    },
    "any": {
        "en": "{a real model|another model|a better model|a bigger model|a different model|other models|a proper model|a large model|a smarter model|real models|a real LLM|"
        "a good model|more models|a new model|my own model|a bigger LLM|a model|a language model}",
        "es": "{un modelo de verdad|otro modelo|un modelo mejor|un modelo más grande|otros modelos|un modelo real|un modelo}",
        "fr": "{un vrai modèle|un autre modèle|un meilleur modèle|un modèle plus grand|d'autres modèles|un modèle}",
        "de": "{ein richtiges Modell|ein anderes Modell|ein besseres Modell|ein größeres Modell|andere Modelle|ein echtes Modell|ein Modell}",
    },
}  # fmt: skip
_PLAIN: dict[str, dict[str, str]] = {
    "ollama": {
        "en": "{ollama|I have Ollama installed|I installed Ollama, what now?|where is my Ollama?|why do you not see Ollama?|Ollama is running, and now?|ollama setup|ollama?|does headrace find Ollama?|what do I do with Ollama?}",
        "es": "{ollama|tengo Ollama instalado|ya tengo Ollama, ¿y ahora?|¿y con Ollama?}",
        "fr": "{ollama|j'ai installé Ollama|j'ai Ollama, et maintenant ?|et avec Ollama ?}",
        "de": "{ollama|ich habe Ollama installiert|ich habe Ollama, was nun?|und mit Ollama?}",
    },
    "pull": {
        "en": "{how do I {pull|download|fetch} a {model|GGUF|GGUF file|gguf model}?|download a model|pull a model|where do I get a GGUF{| file}?|what does headrace pull do?|how does headrace pull work?|"
        "I want to {download|pull} a {model|GGUF}|pull a gguf|how to {download|pull} {models|a gguf}{| from hugging face}|can headrace download models?|which command downloads a model?|get me a gguf}",
        "es": "{¿cómo {descargo|bajo} un {modelo|GGUF}?|descargar un modelo|quiero descargar un {modelo|GGUF}|¿cómo funciona headrace pull?|¿dónde consigo un GGUF?}",
        "fr": "{comment {télécharger|récupérer} un {modèle|GGUF} ?|télécharger un modèle|je veux télécharger un {modèle|GGUF}|comment marche headrace pull ?|où trouver un GGUF ?}",
        "de": "{wie lade ich ein {Modell|GGUF} herunter?|ein Modell herunterladen|ich möchte ein {Modell|GGUF} herunterladen|wie geht headrace pull?|wo bekomme ich ein GGUF her?}",
    },
    "key": {
        "en": "{where {do I put|does|goes} my {API key|OpenAI key|key}{| go}?|I have an {API key|OpenAI key|OpenAI account}|I have a key{| for OpenAI|, what now?}|here is my api key, where do I put it?|api key|API key?|"
        "how do I {enter|give you|set} {an|my|the} {API key|key}?|how to set OPENAI_API_KEY?|my key is in the environment, what else?|how do I enable openai?|openai setup}",
        "es": "{¿dónde pongo {mi|la} clave{| de API| de OpenAI}?|tengo una clave de {API|OpenAI}|clave de API|¿cómo activo openai?}",
        "fr": "{où mettre {ma|la} clé{| d'API| d'OpenAI} ?|j'ai une clé {d'API|d'OpenAI}|clé d'API|comment activer openai ?}",
        "de": "{wohin {mit dem|kommt der} {API-Schlüssel|Schlüssel}?|ich habe einen {API-Schlüssel|Schlüssel von OpenAI}|API-Schlüssel|wie schalte ich openai ein?}",
    },
    "any": {
        "en": "{how do I get {better|real|smarter|good} answers?|you are {too small|stupid|dumb|useless}, how do I get a {real|better} one?|how do I {replace|change|switch|upgrade} {you|the model|models|this model}?|"
        "where do I get a real model?|which models can I use?|what models {are there|can I connect}?|how do I connect?|I need a {real|better|bigger} model|how can I make you smarter?|no model is there, what do I do?|"
        "how do I set up headrace?|what should I do to get a real model?|how do I start with headrace?|how can I talk to a real model?|which providers can I use?|connect a real model|change model}",
        "es": "{¿cómo cambio de modelo?|necesito un modelo {mejor|de verdad}|¿qué modelos puedo usar?|¿cómo obtengo mejores respuestas?|cambiar de modelo|¿cómo configuro headrace?}",
        "fr": "{comment changer de modèle ?|il me faut un {meilleur|vrai} modèle|quels modèles puis-je utiliser ?|comment avoir de meilleures réponses ?|changer de modèle|comment configurer headrace ?}",
        "de": "{wie wechsle ich das Modell?|ich brauche ein {besseres|richtiges} Modell|welche Modelle kann ich nutzen?|wie bekomme ich bessere Antworten?|Modell wechseln|wie richte ich Headrace ein?}",
    },
}  # fmt: skip


def setup(rng: random.Random, language: str) -> tuple[str, str]:
    """Return a question how to connect a model, and the one answer to it."""
    way = rng.choices(tuple(_ANSWERS), (22, 7, 20, 8, 22, 24))[0]
    answer = _ANSWERS[way][language] + _SHOWS[language]
    if way in _PLAIN and rng.random() < 0.4:
        return typed(rng, _PLAIN[way][language]), answer
    return typed(rng, f"{_HOW[language]} {_WHAT[way][language]}{_TAIL[language]}"), answer
