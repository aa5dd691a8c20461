"""This module holds questions with the words of what the model can do, which ask for something else."""

from .wording import lines

__all__ = ["TRAPS"]

_DAY = "{Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday}"
_MONTH = "{January|February|March|April|May|June|July|August|September|October|November|December}"

TRAPS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "know": lines(f"""
        what is the {{moral|plot|setting|meaning|title|ending|genre}} of {{a|the|that|this}} {{story|short story|tale|fairy tale}} {{by|of}} <person>?
        {{who wrote|what is|what happens in|where is it set,|explain|when was written}} the {{story of|tale of|short story|fairy tale}} <person>?
        what makes a {{good|great|short}} story?
        {{who was|what happened to|why did you choose|what was wrong with|how old was|what is the moral of}} {{the hero|the fox|the friend|the end|the cat|it}} {{of|in}} {{the|your|that}} story?
        how do I {{back up|restore|update|uninstall|stop|restart|export|secure|debug}} {{headrace|my chats|the server|my data|headrace on a server|the database}}?
        {{where|how|when}} {{are my chats|is my data|are the logs|is the port|is the password}} {{kept|stored|set|written|changed}}?
        how {{long is|do I write|do I start|do I publish|do I end}} a {{short |}}story?
        what {{is|was}} the story {{behind|of}} <matter>?
        {{what happened|what was invented|who was born|who died|which war began|what happens}} in {_MONTH}{{| <n>| of <n>}}?
        {{why is|why was|who named|where does the name of}} {{the month of |}}{_MONTH}{{| named like that| come from| called so}}?
        {{how many|which}} days {{are in|does|has}} {_MONTH}{{| have| this year}}?
        {{is|was}} <place> {{warm|cold|rainy|crowded|nice}} in {_MONTH}?
        what should I {{wear|plant|cook|do|see in <place>}} in {{{_MONTH}|spring|summer|autumn|winter|on {_DAY}}}?
        {{what is|what's|how is}} the weather {{on|next}} {_DAY}?
        {{what|which}} {{day|weekday}} {{was|is|will be}} {{it on |}}the <n> of {_MONTH}?
        {{what|which}} {{day|month|season|year}} {{is it|do we have|is today|is now}}{{| now| today}}?
        {{why is|who invented|why are there|where do we get}} {{the week|the calendar|leap years|the seasons|seven days|twelve months}}{{| seven days long| from|}}?
        what causes the seasons?
        why {{is it cold in winter|do leaves fall in autumn|are days longer in summer|is {_DAY} called {_DAY}}}?
        {{which|what}} {{month|season|day}} is the {{coldest|hottest|wettest|best|busiest}}{{| in <place>| for <action>}}?
        {{what is|who is|what is the origin of}} {{count Dracula|the count of <place>|a head count|blood count|counting sheep}}?
        how many {{words|letters|people|planets|bones|teeth|countries|stars|continents|languages|hours|minutes|legs|colours|players|states}} {{are there|are in|does}} {{a <word>|the world|the body|a day|<place>|a spider have|a team|this sentence}}?
        how {{do I|can I}} count {{calories|cards|money|in <tongue>|words in Word|rows in SQL|lines in a file|elements of a list}}?
        {{what is|who is|what's}} {{the name of|the real name of}} {{<person>|the king of <place>|the river in <place>|this song|my {{dog|teacher|boss|mother|brother}}|the president of <place>|your {{mother|dog|wife}}}}?
        {{what does|where does|what is the meaning of}} the name <person>{{| mean| come from}}?
        how {{old are you|tall are you|much do you cost|many languages do you speak|many friends do you have|fast are you}}?
        {{are you|have you been}} {{married|hungry|in love|in <place>|happy with <person>|older than me}}?
        who {{said|sang|wrote}} {{hello|"good morning"|goodbye|"see you tomorrow"|"thank you"}}?
        where does the word {{hello|goodbye|thanks|story|month|number|Tuesday|name}} come from?
        what is {{Ollama written in|the price of Ollama|the stock price of OpenAI|the best GGUF|a GGUF header|Hugging Face worth|the size of GPT-4|the capital of OpenAI}}?
        who {{founded|owns|made|runs|invented}} {{OpenAI|Hugging Face|Ollama|Google|ChatGPT|llama.cpp|the GGUF format|Anthropic|Mistral}}?
        what is a {{model railway|language model|role model|model in fashion|data model|mathematical model}}?
        {{what comes after|what is before|who came after}} {{death|<person>|the dinosaurs|the Roman Empire|infinity|dinner|<matter>|school}}?
        which {{number|letter|king|president|planet}} comes {{after|before}} {{<n>|<person>|the letter Q|Mars}}?
        what is the {{first|last|second|third}} {{book of <person>|president of <place>|element|planet|letter of the alphabet|king of <place>}}?
        how many {{months|weeks|days}} {{until|since}} {{Christmas|Easter|my birthday|{_MONTH} <n>|the war}}?
        {{when is|what is on|how do people celebrate}} {{Christmas|Easter|new year|mother's day|Halloween|my birthday|Thanksgiving|Ramadan}}{{| in <place>|}}?
        """),
        "do": lines(f"""
        {{count|can you count|please count}} the {{words|letters|vowels|lines|characters|stars|people|errors|sentences}} in {{this text|this sentence|the word <word>|my essay|the picture|<place>}}
        {{count|name}} {{my money|the sheep|all the countries|the rivers of <place>|the kings of <place>|the planets|the presidents}}
        {{review|improve|continue|summarize|translate|rate|correct}} {{my|this|the}} {{story|short story|tale|greeting|count}}
        {{write|make}} {{a story outline in JSON schema|a news story about <place>|an Instagram story|a user story for <matter>|a cover story about <person>}}
        {{plan|schedule|organise}} my {{week|month|summer|{_DAY}|{_MONTH}}}
        {{list|name|show}} {{the holidays in {_MONTH}|famous people born in {_MONTH}|five events of {_MONTH}|my appointments on {_DAY}|the days I worked}}
        {{write|say}} {{my name|hello|your name|thank you|good night|the months|the numbers}} in <tongue>
        {{write|make|sing|draw}} {{a poem|a song|a joke|a picture}} about {{{_DAY}|{_MONTH}|winter|the number <n>|a cat and a story|counting}}
        {{remind|call|wake}} me {{on {_DAY}|in {_MONTH}|tomorrow|at <n>}}
        """),
    },
    "es": {
        "know": lines("""
        ¿{quién escribió|cuál es la moraleja de|de qué trata} {el cuento|la historia} {de <person>|<person>}?
        ¿qué {pasó|ocurrió|se celebra} en {enero|marzo|mayo|julio|octubre|diciembre}{| de <n>}?
        ¿por qué {el lunes se llama así|hace frío en invierno|hay estaciones|tiene siete días la semana}?
        ¿qué {día|mes|estación|hora} es {hoy|ahora}?
        ¿cuántos {habitantes|planetas|huesos|idiomas|países} {hay|tiene <place>|tiene el cuerpo}?
        ¿{cómo se llama|cuál es el nombre de} {el rey de <place>|mi perro|mi madre|el río de <place>|este libro}?
        ¿{cuántos años tienes|tienes hambre|de qué color eres|estás casado}?
        """),
        "do": lines("""
        cuenta {las palabras de este texto|las letras|mi dinero|las estrellas|un chiste|un secreto}
        {di|escribe} {hola|mi nombre|los números|gracias} en {japonés|ruso|chino|alemán}
        {corrige|resume|continúa} {mi cuento|esta historia|este cuento}
        """),
    },
    "fr": {
        "know": lines("""
        {qui a écrit|quelle est la morale de|de quoi parle} {le conte|l'histoire} de <person> ?
        {que s'est-il passé|qu'est-ce qu'on fête} en {janvier|mars|mai|juillet|octobre|décembre}{| <n>} ?
        pourquoi {le lundi s'appelle-t-il ainsi|fait-il froid en hiver|y a-t-il des saisons|la semaine a sept jours} ?
        {quel jour|quel mois|quelle saison|quelle heure} {est-il|sommes-nous} {maintenant|aujourd'hui} ?
        combien {d'habitants|de planètes|d'os|de langues|de pays} {y a-t-il|a <place>|dans le monde} ?
        {comment s'appelle|quel est le nom de} {le roi de <place>|mon chien|ma mère|ce livre|le président} ?
        {quel âge as-tu|as-tu faim|de quelle couleur es-tu|es-tu marié} ?
        """),
        "do": lines("""
        compte {les mots de ce texte|les lettres|mon argent|les étoiles|les fautes}
        {dis|écris} {bonjour|mon nom|les nombres|merci} en {japonais|russe|chinois|allemand}
        {corrige|résume|continue} {mon histoire|cette histoire|ce conte}
        """),
    },
    "de": {
        "know": lines("""
        {wer schrieb|was ist die Moral von|wovon handelt} {das Märchen|die Geschichte} von <person>?
        {was geschah|was feiert man} im {Januar|März|Mai|Juli|Oktober|Dezember}{| <n>}?
        warum {heißt der Montag so|ist es im Winter kalt|gibt es Jahreszeiten|hat die Woche sieben Tage}?
        {welcher Tag|welcher Monat|welche Jahreszeit} ist {heute|jetzt}?
        wie viele {Einwohner|Planeten|Knochen|Sprachen|Länder} {gibt es|hat <place>|hat der Körper}?
        {wie heißt|was ist der Name von} {der König von <place>|mein Hund|meine Mutter|dieses Buch|der Präsident}?
        {wie alt bist du|hast du Hunger|welche Farbe hast du|bist du verheiratet}?
        """),
        "do": lines("""
        zähle {die Wörter in diesem Text|die Buchstaben|mein Geld|die Sterne|die Fehler}
        {sag|schreib} {hallo|meinen Namen|die Zahlen|danke} auf {Japanisch|Russisch|Chinesisch|Italienisch}
        {korrigiere|kürze|beurteile} {meine Geschichte|diese Geschichte|dieses Märchen}
        """),
    },
}
